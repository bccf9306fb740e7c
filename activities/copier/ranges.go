package copier

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// ranges is a copy by parts that are read and stored in parallel.
type ranges struct {
	run    *run
	upload *upload

	mu sync.Mutex // guards hashes, and the upload's state once parts are under way
	// hashes are those of the parts that are hashed and stored, by number, as far as the upload's state has them not.
	hashes map[int32][]byte
}

// copyRanges copies an object by parts, and goes on with an earlier try if there is one.
func (r *run) copyRanges(ctx context.Context) error {
	r.result.Way = WayRanges
	// Nobody else sees the whole of it.
	r.verifier = origin.NewVerifier(slices.Concat(r.job.Meta.Digests, r.job.Expect)...)
	u, err := r.startUpload(ctx)
	if err != nil {
		return err
	}
	g := &ranges{run: r, upload: u, hashes: map[int32][]byte{}}
	missing := g.missing()
	for _, p := range u.have {
		r.job.Counters.Stored.Add(p.Size)
	}
	r.result.Resumed = r.job.Meta.Size
	for _, p := range missing {
		r.result.Resumed -= p.n
	}
	if err := g.copyParts(ctx, missing); err != nil {
		return u.resetIfLost(ctx, err)
	}
	return u.complete(ctx)
}

// missing are the parts that have to be fetched, the first ones first.
func (g *ranges) missing() (missing []part) {
	for _, p := range parts(g.run.job.Meta.Size, g.upload.state.PartSize) {
		_, ok := g.upload.have[p.number]
		if !ok || g.run.verifier.Needed() && p.number > g.upload.state.Hashed {
			missing = append(missing, p)
		}
	}
	return missing
}

// copyParts copies what is missing. After a failure no part is begun any more, but those under way are finished, since
// their bytes are paid for; unless they are of no use any more.
func (g *ranges) copyParts(ctx context.Context, missing []part) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var failed firstError
	slots := semaphore.NewWeighted(g.upload.slots())
	hashed := closed()
	for _, p := range missing {
		buf, done, err := g.upload.acquireSlot(reading, slots, p.n)
		if err != nil {
			failed.set(err)
		}
		if failed.get() != nil {
			done()
			break
		}
		before, after := hashed, make(chan struct{})
		hashed = after
		all.Go(func() {
			defer done()
			body, hash, err := g.fetchPart(reading, p, buf, before)
			if err == nil {
				close(after)
				err = g.upload.send(ctx, p.number, body)
			}
			if err == nil {
				g.note(p.number, hash)
			}
			failed.set(err)
			if err != nil && !g.worthFinishing(err) {
				cancel()
			}
		})
	}
	all.Wait()
	return failed.get()
}

// worthFinishing tells whether what is under way is of use to the next try.
func (g *ranges) worthFinishing(err error) bool {
	var source *origin.Error
	gone := errors.As(err, &source) && (source.Permanent || source.Class == origin.ClassChanged) || ignoredRange(err)
	return !gone && !errors.Is(err, storage.ErrNoUpload) && !errors.Is(err, context.Canceled) && !g.run.verifier.Needed()
}

// fetchPart reads a part, and hashes it after the one before, if there is a digest to compare.
func (g *ranges) fetchPart(
	ctx context.Context, p part, buf *buffer, before <-chan struct{},
) (body storage.Body, hash []byte, err error) {
	job := g.run.job
	body, err = g.run.fill(ctx, buf, func(ctx context.Context) (*origin.Body, error) {
		return g.run.copier.Source.GetRange(ctx, job.URL, job.Meta, p.off, p.n)
	})
	if err == nil && g.run.verifier.Needed() {
		hash, err = g.hash(ctx, p, buf, before)
	}
	return body, hash, err
}

// hashBlock is a multiple of the block size of every hash there is, in bytes.
const hashBlock = 128

// hash takes a part into the digests when it is its turn, and returns their state.
func (g *ranges) hash(ctx context.Context, p part, buf *buffer, before <-chan struct{}) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-before:
	}
	if err := buf.copyTo(g.run.verifier); err != nil {
		return nil, err
	}
	if (p.off+p.n)%hashBlock != 0 {
		return nil, nil // the state would have bytes of the source in it, and nobody wants them in a history
	}
	return g.run.verifier.State()
}

// note tells the next try how far all parts are both hashed and stored: it goes on from there without looking at them.
func (g *ranges) note(number int32, hash []byte) {
	if hash == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hashes[number] = hash
	state := &g.upload.state
	before := state.Hashed
	for next := g.hashes[state.Hashed+1]; next != nil; next = g.hashes[state.Hashed+1] {
		state.Hashed++
		state.Hash = next
		delete(g.hashes, state.Hashed)
	}
	if state.Hashed > before {
		g.run.job.Checkpoint(*state)
	}
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
