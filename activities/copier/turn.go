package copier

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// inFlight returns the limit of parts in flight. It is lower for parts in files, which are large:
// more of them would take more disk than an operator expects.
func (u *upload) inFlight() int64 {
	c := u.run.copier
	if u.state.PartSize > c.Memory.MaxBuffer() {
		return min(2, int64(c.Parts))
	}
	return int64(c.Parts)
}

// turn is the right of a part to be in flight.
type turn struct {
	buf *buffer
	// place is the part's connection to the source, if it has one already.
	place *origin.Place
	// paced is the place of a range in the order of reading.
	paced *pacedPart
	undo  []func()
}

// leavePlace gives back the part's connection if it was not used yet.
func (t *turn) leavePlace() {
	if t.place != nil {
		t.place.Release()
	}
}

// done ends the turn.
func (t *turn) done() {
	t.leavePlace()
	for _, f := range t.undo {
		f()
	}
}

// hold adds a function that ends the turn.
func (t *turn) hold(undo func()) { t.undo = append(t.undo, undo) }

// acquireTurn waits for the part's turn and for memory. Parts acquire turns in order, so that the
// first parts never wait for memory that later parts hold. The caller must call done in any case.
func (u *upload) acquireTurn(ctx context.Context, turns *semaphore.Weighted, n int64) (*turn, error) {
	return u.wait(ctx, turns, func(t *turn) error { return u.acquireMemory(ctx, t, n) })
}

// wait waits for the part's turn, and then for all else that it needs. Meanwhile the copy counts as
// waiting.
func (u *upload) wait(ctx context.Context, turns *semaphore.Weighted, acquire func(*turn) error) (*turn, error) {
	t, waiting := &turn{}, &u.run.job.Counters.Waiting
	waiting.Add(1)
	defer waiting.Add(-1)
	if err := turns.Acquire(ctx, 1); err != nil {
		return t, err
	}
	t.hold(func() { turns.Release(1) })
	return t, acquire(t)
}

func (u *upload) acquireMemory(ctx context.Context, t *turn, n int64) (err error) {
	r := u.run
	if limit := r.copier.MaxParts; limit != nil {
		if err := limit.Acquire(ctx, 1); err != nil {
			return err
		}
		t.hold(func() { limit.Release(1) })
	}
	if t.buf, err = r.newBuffer(ctx, r.copier.Memory, n); err == nil {
		t.hold(t.buf.release)
	}
	return err
}

// acquireRange is acquireTurn for a range. It waits for the part's connection first. A part thus
// holds no memory while its host is at its limit, with the exceptions of [origin.Place].
//
// It never waits for memory while it holds a connection. A part that was refused waits for a
// connection while it holds memory, and the two waits would be a deadlock. If there is no memory at
// once, acquireRange gives the connection back and waits for memory. The part waits for a connection
// later.
func (u *upload) acquireRange(ctx context.Context, turns *semaphore.Weighted, n int64) (*turn, error) {
	return u.wait(ctx, turns, func(t *turn) error {
		place, err := u.run.copier.Source.Reserve(ctx, u.run.job.URL, u.run.meta)
		if err != nil {
			return err
		}
		if u.tryMemory(t, n) {
			t.place = place
			return nil
		}
		place.Release()
		return u.acquireMemory(ctx, t, n)
	})
}

// tryMemory is acquireMemory without a wait. It returns false if there would be one.
func (u *upload) tryMemory(t *turn, n int64) bool {
	r, limit := u.run, u.run.copier.MaxParts
	if limit != nil && !limit.TryAcquire(1) {
		return false
	}
	if t.buf = r.tryBuffer(r.copier.Memory, n); t.buf == nil {
		if limit != nil {
			limit.Release(1)
		}
		return false
	}
	if limit != nil {
		t.hold(func() { limit.Release(1) })
	}
	t.hold(t.buf.release)
	return true
}
