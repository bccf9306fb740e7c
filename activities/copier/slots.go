package copier

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// slots returns the limit of parts in flight. It is lower for parts in files, which are large: more
// of them would take more disk than an operator expects.
func (u *upload) slots() int64 {
	c := u.run.copier
	if u.state.PartSize > c.Memory.MaxBuffer() {
		return min(2, int64(c.Parts))
	}
	return int64(c.Parts)
}

// acquireSlot waits for the part's turn and for memory. Parts acquire slots in order, so that the
// first parts never wait for memory that later parts hold. The caller must call done in any case.
func (u *upload) acquireSlot(
	ctx context.Context, slots *semaphore.Weighted, n int64,
) (buf *buffer, done func(), err error) {
	r := u.run
	var undo []func()
	done = func() {
		for _, f := range undo {
			f()
		}
	}
	r.job.Counters.Waiting.Add(1)
	defer r.job.Counters.Waiting.Add(-1)
	for _, limit := range []*semaphore.Weighted{slots, r.copier.MaxParts} {
		if limit == nil {
			continue
		}
		if err := limit.Acquire(ctx, 1); err != nil {
			return nil, done, err
		}
		undo = append(undo, func() { limit.Release(1) })
	}
	if buf, err = r.newBuffer(ctx, r.copier.Memory, n); err != nil {
		return nil, done, err
	}
	undo = append(undo, buf.release)
	return buf, done, nil
}
