package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// probePrefix is the prefix of the keys with which setup probes a server. No object's key has it.
const probePrefix = "cloud-mirror-setup/probe/"

// errUnverified means that the server does not verify the checksum that its pool declares.
var errUnverified = errors.New("the server does not verify it")

// errLeft means that the probe's object could not be deleted. It fails even a probe that worked.
var errLeft = errors.New("probe object not deleted")

// ignored holds the features that the server accepts without effect. Copies work without them.
type ignored struct {
	conditions bool // the preconditions of conditional writes
	partSums   bool // checksums of parts, as ListParts reports them
}

// probe checks what the pool declares by uploads like those of a copy. It returns lines for a
// person. If the server refuses an upload, its error names the settings that work, if there are
// any.
func (b *Bucket) probe(ctx context.Context, name string) ([]string, error) {
	ignores, err := b.probeOnce(ctx)
	if err != nil {
		if settings := b.remedy(ctx, err); settings != "" {
			return nil, fmt.Errorf("%s: set %s: the server can't do what the pool declares: %w", name, settings, err)
		}
		return nil, fmt.Errorf("%s: probe upload: %w", name, err)
	}
	lines := []string{name + ": " + enumerate(b.declared(!ignores.conditions)) + " work"}
	if ignores.conditions {
		lines = append(lines, name+": warning: the server ignores conditional writes: a worker that was frozen for minutes "+
			"could overwrite a newer copy with an older one (pools[].overwrite: true acknowledges this)")
	}
	if ignores.partSums {
		lines = append(lines, name+": warning: the server does not list the checksums of parts: copies restart after a crash")
	}
	return lines, nil
}

// wouldProbe returns the line of a dry run for probe.
func (b *Bucket) wouldProbe(name string) string {
	return name + ": would probe " + enumerate(b.declared(true))
}

// declared lists the features that the pool declares for the server.
func (b *Bucket) declared(conditions bool) []string {
	all := []string{string(b.Checksum()), "unsigned payloads"}
	if b.pool.SignPayload {
		all[1] = "signed payloads"
	}
	if conditions && !b.pool.Overwrite {
		all = append(all, "conditional writes")
	}
	return all
}

func enumerate(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// remedy returns the fewest settings with which the server accepts the probe, or an empty string if
// no settings help.
func (b *Bucket) remedy(ctx context.Context, refusal error) string {
	status := statusOf(refusal)
	refused := status >= 400 && status < 500 || status == http.StatusNotImplemented || errors.Is(refusal, errUnverified)
	if !refused || errors.Is(refusal, errLeft) {
		return ""
	}
	type setting struct {
		text  string
		apply func(*Pool)
	}
	settings := []setting{{"pools[].checksum: md5", func(p *Pool) { p.Checksum = ChecksumMD5 }}}
	if b.Checksum() == ChecksumMD5 {
		settings[0] = setting{"pools[].checksum: crc64nvme", func(p *Pool) { p.Checksum = ChecksumCRC64NVME }}
	}
	if !b.pool.SignPayload {
		settings = append(settings, setting{"pools[].sign_payload: true", func(p *Pool) { p.SignPayload = true }})
	}
	if !b.pool.Overwrite {
		settings = append(settings, setting{"pools[].overwrite: true", func(p *Pool) { p.Overwrite = true }})
	}
	for _, set := range []uint{0b001, 0b010, 0b100, 0b011, 0b101, 0b110, 0b111} {
		if set >= 1<<len(settings) {
			continue
		}
		pool, texts := b.pool, []string(nil)
		for i, s := range settings {
			if set&(1<<i) != 0 {
				s.apply(&pool)
				texts = append(texts, s.text)
			}
		}
		if _, err := Open(b.cfg, pool).probeOnce(ctx); err == nil {
			return strings.Join(texts, " and ")
		}
	}
	return ""
}

// probeOnce uploads a tiny object in every way in which a copy may be uploaded, and deletes it.
func (b *Bucket) probeOnce(ctx context.Context) (ignores ignored, err error) {
	spec := anotherCopy(ObjectSpec{Key: probePrefix + rand.Text()})
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		if left := b.Delete(ctx, spec.Key); left != nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", errLeft, left))
		}
	}()
	if spec.Replaces, err = b.tryPut(ctx, spec); err != nil {
		return ignores, err
	}
	if err := b.tryWrongSum(ctx, anotherCopy(spec)); err != nil {
		return ignores, err
	}
	puts := func(spec ObjectSpec) (Stored, error) {
		return b.Put(ctx, spec, b.Checksum().Body([]byte("another probe")))
	}
	uploads := func(spec ObjectSpec) (stored Stored, err error) {
		stored, ignores.partSums, err = b.tryUpload(ctx, spec)
		return stored, err
	}
	for _, store := range []func(ObjectSpec) (Stored, error){puts, uploads} {
		if !b.pool.Overwrite {
			// An object exists, with another ETag: both conditions must fail.
			for _, replaces := range []string{"", `"00000000000000000000000000000000"`} {
				conflicting := anotherCopy(spec)
				conflicting.Replaces = replaces
				stored, err := store(conflicting)
				switch {
				case err == nil:
					ignores.conditions, spec.Replaces = true, stored.ETag
				case !errors.Is(err, ErrConflict):
					return ignores, err
				}
			}
		}
		stored, err := store(anotherCopy(spec))
		if err != nil {
			return ignores, err
		}
		spec.Replaces = stored.ETag
	}
	return ignores, nil
}

// anotherCopy returns the spec with a new copy id, as if another copy stored it.
func anotherCopy(spec ObjectSpec) ObjectSpec {
	spec.Metadata = map[string]string{MetadataCopyID: rand.Text()}
	return spec
}

// tryPut stores an object and checks that the server keeps its checksum.
func (b *Bucket) tryPut(ctx context.Context, spec ObjectSpec) (etag string, err error) {
	if _, err := b.Put(ctx, spec, b.Checksum().Body([]byte("probe"))); err != nil {
		return "", err
	}
	stored, err := b.Head(ctx, spec.Key)
	if err != nil {
		return "", err
	}
	return stored.ETag, b.requireChecksum(stored)
}

// requireChecksum fails if the server reports no CRC64NVME of a stored object. A reported one has
// been compared already.
func (b *Bucket) requireChecksum(stored Stored) error {
	if b.Checksum() == ChecksumCRC64NVME && stored.CRC64NVME == "" {
		return fmt.Errorf("%s of a whole object: %w", b.Checksum(), errUnverified)
	}
	return nil
}

// tryWrongSum checks that the server refuses bytes that don't match their checksum.
func (b *Bucket) tryWrongSum(ctx context.Context, spec ObjectSpec) error {
	body := b.Checksum().Body([]byte("probe"))
	body.Sum[0] ^= 1
	_, err := b.Put(ctx, spec, body)
	switch status := statusOf(err); {
	case err == nil, errors.Is(err, ErrMismatch):
		return fmt.Errorf("%s of sent bytes: %w", b.Checksum(), errUnverified)
	case status < 400 || status >= 500, status == http.StatusPreconditionFailed:
		return err
	}
	return nil
}

// tryUpload stores an object in one part. It reports noSums if ListParts lacks the part's checksum.
func (b *Bucket) tryUpload(ctx context.Context, spec ObjectSpec) (stored Stored, noSums bool, err error) {
	u, err := b.CreateUpload(ctx, spec)
	if err != nil {
		return Stored{}, false, err
	}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
			defer cancel()
			err = errors.Join(err, b.AbortUpload(ctx, u))
		}
	}()
	part, err := b.UploadPart(ctx, u, 1, b.Checksum().Body([]byte("a probe in parts")))
	if err != nil {
		return Stored{}, false, err
	}
	listed, err := b.ListParts(ctx, u)
	if err != nil {
		return Stored{}, false, err
	}
	noSums = len(listed) != 1 || listed[0].Sum != part.Sum
	if stored, err = b.CompleteUpload(ctx, spec, u, []Part{part}); err != nil {
		return Stored{}, noSums, err
	}
	return stored, noSums, b.requireChecksum(stored)
}
