package copier_test

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// holder takes a part of a budget for the copy of another host. It returns the context of that
// copy.
func holder(t *testing.T, b *copier.Budget, host string, n int64) (context.Context, *copier.Hold) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	hold, err := b.Take(t.Context(), copier.Claim{Host: host, Since: time.Now(), Cancel: cancel}, n)
	require.NoError(t, err)
	return ctx, hold
}

// TestCopyWaitsForASlot has all slots in use by another host. A copy waits for 2 s.
func TestCopyWaitsForASlot(t *testing.T) {
	for name, size := range map[string]int{"small": 1000, "large": 2 * partSize} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t, size)
			slots := copier.NewBudget(1, 1)
			r.Slots, r.LargeSlots = slots, slots
			if size <= copier.Small {
				r.LargeSlots = nil
			} else {
				r.Slots = nil
			}
			_, hold := holder(t, slots, "other.example", 1)
			start := time.Now()
			_, err := r.attempt(t)
			require.ErrorIs(t, err, copier.ErrTurn)
			require.GreaterOrEqual(t, time.Since(start), 2*time.Second)
			r.requireNothing(t)
			hold.Release()
			_, err = r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
			held, waiting := slots.Use()
			require.Zero(t, held+waiting)
		})
	}
}

// crawling makes the source send the head of each response only.
func (r *fixture) crawling() {
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		w.Header().Set("Content-Length", strconv.Itoa(len(r.source.body)))
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
	}
}

// start runs the job several times at once. It returns the errors, and ends the copies with the
// test.
func (r *fixture) start(t *testing.T, n int) <-chan error {
	t.Helper()
	errs := make(chan error, n)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			_, err := r.run(ctx)
			errs <- err
		})
	}
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
	return errs
}

func eventuallyHeld(t *testing.T, b *copier.Budget, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { held, _ := b.Use(); return held == n }, 10*time.Second, time.Millisecond)
}

// TestCopyWaitsWithoutASlot has four copies hold all memory for small objects. The fifth has a
// connection, and waits for memory without a slot.
func TestCopyWaitsWithoutASlot(t *testing.T) {
	r := inMemory(t, 1000)
	r.Slots, r.SmallMemory = copier.NewBudget(10, 1), copier.NewMemory(4<<10)
	r.crawling()
	r.start(t, 4)
	eventuallyHeld(t, r.Slots, 4)
	fifth := r.start(t, 1)
	require.Eventually(t, func() bool { return r.source.gets.Load() == 5 }, 10*time.Second, time.Millisecond)
	for waiting := true; waiting; {
		select {
		case err := <-fifth:
			require.ErrorIs(t, err, copier.ErrTurn)
			require.ErrorContains(t, err, "wait for memory")
			waiting = false
		case <-time.After(10 * time.Millisecond):
			held, _ := r.Slots.Use()
			require.EqualValues(t, 4, held)
		}
	}
}

// TestCopiesLeaveTasksToBriefActivities hands copies back at once while as many run or wait as may.
// Those wait for the source's response: they would give up a wait for a slot after 2 s.
func TestCopiesLeaveTasksToBriefActivities(t *testing.T) {
	r := inMemory(t, 1000)
	r.Slots = copier.NewBudget(2, 1)
	r.crawling()
	crawl := r.source.serve
	r.source.serve = func(w http.ResponseWriter, req *http.Request, n int64) {
		if n > 2 {
			<-req.Context().Done()
			return
		}
		crawl(w, req, n)
	}
	r.start(t, 2)
	eventuallyHeld(t, r.Slots, 2)
	r.start(t, 2*(copier.TasksPerSlot-2))
	require.Eventually(t, func() bool { return r.source.gets.Load() == 2*(copier.TasksPerSlot-1) }, 10*time.Second, time.Millisecond)
	err := <-r.start(t, 1)
	require.ErrorIs(t, err, copier.ErrTurn)
	require.ErrorContains(t, err, "6 copies run or wait already")
	require.EqualValues(t, 2*(copier.TasksPerSlot-1), r.source.gets.Load())
}

// TestSlowCopyGivesBackWhatItHolds has copies crawl beyond the share of their host. One ends as
// soon as a copy of another host waits, and leaves nothing. The others keep their share.
func TestSlowCopyGivesBackWhatItHolds(t *testing.T) {
	r := inMemory(t, 1000)
	r.Slots = copier.NewBudget(4, 0.5)
	r.crawling()
	errs := r.start(t, 4)
	eventuallyHeld(t, r.Slots, 4)
	_, hold := holder(t, r.Slots, "other.example", 1) // Waits until one of the copies has ended
	err := <-errs
	require.ErrorIs(t, err, copier.ErrTurn)
	require.ErrorContains(t, err, "another source needs what this copy holds")
	held, _ := r.Slots.Use()
	require.EqualValues(t, 4, held, "three copies, and the other host's")
	require.Empty(t, errs)
	hold.Release()
	r.requireAbsent(t)
}

// TestLargeCopyGivesBackItsMemory has a large copy hold memory beyond the share of its host. It
// ends, and the next try resumes.
func TestLargeCopyGivesBackItsMemory(t *testing.T) {
	const count = 5
	r := inMemory(t, count*partSize)
	r.Parts = count - 1 // All that the memory holds
	r.Memory = copier.NewSharedMemory(4*8*mib, 0.25)
	var stuck atomic.Bool
	stuck.Store(true)
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		if first, _ := bounds(req); isRange(req) && stuck.Load() && first > 0 {
			w.Header().Set("Etag", `"one"`)
			w.Header().Set("Content-Range", "bytes "+req.Header.Get("Range")[len("bytes="):]+"/"+strconv.Itoa(len(r.source.body)))
			w.WriteHeader(http.StatusPartialContent)
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
			return
		}
		r.source.serveWhole(w, req)
	}
	other := inMemory(t, 4*partSize)
	other.Memory = r.Memory
	errs := r.start(t, 1)
	require.Eventually(t, func() bool { return r.source.ranges.Load() == count }, 10*time.Second, time.Millisecond)
	_, err := other.attempt(t) // Needs more than is free
	require.NoError(t, err)
	other.requireExact(t)
	require.ErrorIs(t, <-errs, copier.ErrTurn)
	stuck.Store(false)
	out, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
	require.EqualValues(t, partSize, out.Resumed)
}
