package copier

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// run is one try of a copy.
type run struct {
	copier *Copier
	job    *Job
	// meta describes the object to store, and spec is made of it. mark adds to its metadata.
	meta origin.Meta
	spec storage.ObjectSpec
	// resume is the job's state. It is zero after a restart.
	resume   State
	verifier *origin.Verifier
	result   Result
	// claim is the copy's claim to memory, disk and slots, and slot the slot that it holds.
	claim Claim
	slot  *Hold
	// streaming is set once the copy reads a large object as one stream.
	streaming atomic.Bool
	// received counts the bytes of a stream.
	received int64
}

// takeSlot waits for a slot unless the copy has one. A copy holds its slot until it ends.
func (r *run) takeSlot(ctx context.Context) (err error) {
	slots := r.copier.LargeSlots
	if r.job.First {
		slots = r.copier.Slots
	}
	if r.slot != nil {
		return nil
	}
	r.job.Counters.Waiting.Add(1)
	defer r.job.Counters.Waiting.Add(-1)
	claim := r.claim
	claim.Brief = true
	if r.slot, err = slots.Take(ctx, claim, 1); err != nil {
		return fmt.Errorf("wait for a slot: %w", err)
	}
	return nil
}

// describe sets the object to store. It fails if the object is too large.
func (r *run) describe(m origin.Meta) error {
	r.meta, r.spec = m, r.job.Spec(m)
	r.job.Counters.Size.Store(m.Size)
	host := m.Host(r.job.URL)
	r.claim.Host = host
	r.job.host.Store(&host)
	return r.limit(m.Size)
}

// copyLarge copies a large object in the best way that the source supports. If the source refuses
// ranges, a plain GET decides: it is the stream to copy, or it shows a new version of the object to
// fetch in ranges. If it fails as well, the parts in the bucket are left to the next try.
func (r *run) copyLarge(ctx context.Context) error {
	meta := r.job.Meta
	if r.resume.Meta != nil {
		meta = *r.resume.Meta // The version of the parts in the bucket
	}
	if err := r.describe(meta); err != nil {
		return err
	}
	if err := r.takeSlot(ctx); err != nil {
		return err
	}
	if copied, err := r.copyByServer(ctx); copied || err != nil {
		return err
	}
	for restarted := false; r.meta.Rangeable() && !r.resume.Stream; restarted = true {
		refusal := r.copyRanges(ctx)
		if !refusedRange(refusal) {
			return refusal
		}
		s, err := r.openStream(ctx)
		if err != nil {
			return err
		}
		now := s.src.Meta()
		if restarted || now.ETag == r.meta.ETag || !now.Rangeable() {
			r.restart(cut(refusal.Error()))
			return s.copy(ctx)
		}
		s.close()
		r.restart("the source changed")
		if err := r.describe(now); err != nil {
			return err
		}
	}
	switch {
	case r.resume.Stream:
		r.restart("the copy must be one stream, which can't be resumed")
	case r.resume.Upload != "":
		r.restart("the source serves no ranges pinned by a strong ETag")
	}
	s, err := r.openStream(ctx)
	if err != nil {
		return err
	}
	return s.copy(ctx)
}

// state returns the first state of an upload that is filled by ranges.
func (r *run) state(partSize int64) State {
	s := State{PartSize: partSize}
	if r.meta.ETag != r.job.Meta.ETag || r.meta.Size != r.job.Meta.Size {
		meta := r.meta
		s.Meta = &meta
	}
	return s
}

// restart forgets the parts of earlier tries.
func (r *run) restart(why string) {
	r.resume, r.result.Resumed, r.result.Restarted = State{}, 0, why
	r.job.Counters.Stored.Store(0)
}

// User metadata that the copier adds.
const (
	MetadataUnverified = "cloud-mirror-unverified" // Marks a copy that may be truncated
	metadataChecksum   = "cloud-mirror-"           // A prefix of the checksum's name
)

// mark adds an entry to the object's user metadata. It leaves the job's map as it is.
func (r *run) mark(name, value string) {
	r.spec.Metadata = maps.Clone(r.spec.Metadata)
	r.spec.Metadata[name] = value
}

// markUnframed notes a copy that may end early: a lost connection looks like its end.
func (r *run) markUnframed(src *origin.Body) {
	if !src.Framed() {
		r.result.Unverified = true
		r.mark(MetadataUnverified, "true")
	}
}

// verify sets the verifier that the whole object is written to. It compares the given digests, and
// computes the SHA-256 that the job requires unless the source sent it.
func (r *run) verify(digests ...origin.Digest) {
	r.verifier = origin.NewVerifier(digests...)
	if r.job.SHA256 && r.meta.SHA256() == "" {
		r.verifier.Compute(origin.SHA256)
	}
}

// sha256 returns the copy's SHA-256 in hex, if the source sent it or the verifier has computed it.
func (r *run) sha256() string {
	return cmp.Or(r.meta.SHA256(), hex.EncodeToString(r.verifier.Sum(origin.SHA256)))
}

// refusedRange reports whether the source refused a range, which says nothing about the object.
func refusedRange(err error) bool {
	source, ok := errors.AsType[*origin.Error](err)
	return ok && source.Class == origin.ClassRangeRefused
}
