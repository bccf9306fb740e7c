package copier

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// ranges copies an object by parts that are fetched and stored in parallel.
type ranges struct {
	run    *run
	upload *upload

	mu sync.Mutex // Guards hashes, and the upload's state while parts are in flight
	// hashes holds the digests' state after each part that is hashed and stored, by number. Parts
	// that the upload's state covers are removed.
	hashes map[int32][]byte
	// sharing is held for reading by every read of a part, and for writing by a read that must be
	// the only one.
	sharing sync.RWMutex
	// proven is set when the source has served a range, in this try or before.
	proven atomic.Bool
	// pace decides which parts are read.
	pace *pace
}

// copyRanges copies the object by parts, and resumes an earlier try.
func (r *run) copyRanges(ctx context.Context) error {
	r.result.Way = WayRanges
	// Only this verifier sees the whole object: each response is a part of it.
	r.verify(r.meta.Digests...)
	u, err := r.startUpload(ctx)
	if err != nil {
		return err
	}
	g := &ranges{run: r, upload: u, hashes: map[int32][]byte{}}
	g.proven.Store(len(u.have) > 0)
	missing := g.missing()
	for _, p := range u.have {
		r.job.Counters.Stored.Add(p.Size)
	}
	r.result.Resumed = r.meta.Size
	for _, p := range missing {
		r.result.Resumed -= p.n
	}
	g.pace = newPace(u.inFlight(), u.state.PartSize, r.meta.Size-r.result.Resumed)
	if err := g.copyParts(ctx, missing); err != nil {
		return u.resetIfLost(ctx, err)
	}
	return u.complete(ctx)
}

// missing returns the parts to fetch, in order. With a digest, parts in the bucket are fetched
// again unless the saved state covers them.
func (g *ranges) missing() (missing []part) {
	for _, p := range parts(g.run.meta.Size, g.upload.state.PartSize) {
		_, ok := g.upload.have[p.number]
		if !ok || g.run.verifier.Needed() && p.number > g.upload.state.Hashed {
			missing = append(missing, p)
		}
	}
	return missing
}

// copyParts copies the missing parts. Only readPart asks again for a part. Any other failure ends the
// attempt: no further part starts, and Temporal starts the next attempt
// (workflows.StreamCopyPolicy), which resumes. copyParts finishes the parts in flight, since their bytes
// are paid for, unless they are of no use any more.
func (g *ranges) copyParts(ctx context.Context, missing []part) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var failed firstError
	turns := semaphore.NewWeighted(g.upload.inFlight())
	pacing, stop := context.WithCancel(ctx)
	defer stop()
	go g.pace.run(pacing)
	hashed := closed()
	for _, p := range missing {
		turn, err := g.begin(reading, turns, p)
		if err != nil {
			failed.set(err)
		}
		if failed.get() != nil {
			turn.done()
			break
		}
		before, after := hashed, make(chan struct{})
		hashed = after
		all.Go(func() {
			defer turn.done()
			body, hash, err := g.fetchPart(reading, p, turn, before)
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

// begin waits until the part may start, and then for its turn.
func (g *ranges) begin(ctx context.Context, turns *semaphore.Weighted, p part) (*turn, error) {
	paced, err := g.pace.enter(ctx, p.n)
	if err != nil {
		return &turn{}, err
	}
	t, err := g.upload.acquireRange(ctx, turns, p.n)
	t.paced = paced
	t.hold(paced.done)
	return t, err
}

// worthFinishing reports whether the parts in flight are of use to the next try.
func (g *ranges) worthFinishing(err error) bool {
	var source *origin.Error
	gone := errors.As(err, &source) && source.Permanent || refusedRange(err)
	return !gone && !errors.Is(err, storage.ErrNoUpload) && !errors.Is(err, context.Canceled) && !g.run.verifier.Needed()
}

// fetchPart reads a part. If there is a digest to compare, it also hashes the part, after the
// previous part.
func (g *ranges) fetchPart(
	ctx context.Context, p part, t *turn, before <-chan struct{},
) (body storage.Body, hash []byte, err error) {
	body, err = g.readPart(ctx, p, t)
	t.paced.done()
	if err == nil && g.run.verifier.Needed() {
		hash, err = g.hash(ctx, p, t.buf, before)
	}
	return body, hash, err
}

// readPart reads a part into the buffer, in as many requests as it takes: earlier parts may go first.
func (g *ranges) readPart(ctx context.Context, p part, t *turn) (storage.Body, error) {
	for {
		if err := t.paced.resume(ctx); err != nil {
			return storage.Body{}, err
		}
		body, err := g.readRest(ctx, p, t)
		if !errors.Is(err, errParked) {
			return body, err
		}
	}
}

// readRest reads the rest of a part, unless earlier parts go first. A source may refuse the part
// because this copy reads other parts at the same time: then readRest tries again alone. That lowers no
// limit of the source's host, since the reason may be this object.
func (g *ranges) readRest(ctx context.Context, p part, t *turn) (storage.Body, error) {
	if !g.sharing.TryRLock() {
		// A part that must be alone waits for parts that may wait for this connection.
		t.leavePlace()
		g.sharing.RLock()
	}
	body, err := g.readOnce(ctx, p, t)
	g.sharing.RUnlock()
	if refusal, ok := errors.AsType[*origin.Error](err); ok && refusal.Lonely() {
		g.sharing.Lock()
		defer g.sharing.Unlock()
		body, err = g.readOnce(ctx, p, t)
	}
	return body, err
}

func (g *ranges) readOnce(ctx context.Context, p part, t *turn) (storage.Body, error) {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	if t.place != nil {
		ctx = t.place.With(ctx)
	}
	got, start := t.buf.got, time.Now()
	src, err := g.openPart(ctx, part{number: p.number, off: p.off + got, n: p.n - got})
	if err != nil {
		return storage.Body{}, err
	}
	defer src.Close()
	t.paced.opened(time.Since(start))
	t.leavePlace() // If another host served the part
	g.proven.Store(true)
	return g.run.fill(ctx, cut, t.buf, src, t.paced.reader(src))
}

const (
	// lonelyTries is how often a source that has served ranges is asked for a part again, while no
	// other request to its host is in flight.
	lonelyTries = 3
	// longestPause bounds the pause before such a try.
	longestPause = 10 * time.Second
)

// openPart requests a part. It asks again while the source refuses the part because other requests
// are in flight: package origin lowers the number of requests each time. A source that has served
// ranges also gets time to recover, because the parts in the bucket are worth it.
func (g *ranges) openPart(ctx context.Context, p part) (*origin.Body, error) {
	for pause, lonely := time.Second, 0; ; {
		src, err := g.run.open(ctx, func(ctx context.Context) (*origin.Body, error) {
			return g.run.copier.Source.GetRange(ctx, g.run.job.URL, g.run.meta, p.off, p.n)
		})
		refusal, ok := errors.AsType[*origin.Error](err)
		switch {
		case !ok || refusal.Class != origin.ClassRangeRefused:
			return src, err
		case refusal.Crowded:
			continue
		case !g.proven.Load() || !refusal.Retry() || lonely == lonelyTries:
			return nil, err
		}
		lonely++
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(max(pause, refusal.RetryAfter), longestPause)):
		}
		pause *= 2
	}
}

// hashBlock is a multiple of the block size, in bytes, of every hash that a verifier uses.
const hashBlock = 128

// hash waits until the previous part is hashed, hashes this part, and returns the state of the
// digests. The state is nil if it can't be saved.
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
		return nil, nil // The state would contain bytes of the source, which must not enter a history
	}
	return g.run.verifier.State()
}

// note saves how many parts, from the first, are both hashed and stored. The next try neither
// fetches nor hashes them again.
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

// closed returns a closed channel: the first part waits for no other.
func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
