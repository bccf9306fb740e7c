package copier_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
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

// start runs the job several times at once. It returns the errors, and ends the copies with the test.
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

// TestCopiesLeaveTasksToBriefActivities hands copies back at once while as many run or wait as may. Those
// wait for the source's response: they would give up a wait for a slot after 2 s.
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

// TestSlowCopyGivesBackWhatItHolds has copies crawl beyond the share of their host. One ends as soon
// as a copy of another host waits, and leaves nothing. The others keep their share.
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

// TestLargeCopyGivesBackItsMemory has a large copy hold memory beyond the share of its host. It ends,
// and the next try resumes.
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

// connect limits the connections to the source.
func (r *fixture) connect(t *testing.T, most int) {
	t.Helper()
	limited, err := origin.New(origin.Config{
		AllowedPatterns: []string{"http://"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		MaxConnsPerHost: most,
	})
	require.NoError(t, err)
	r.Source = limited
}

// another returns a job for the same object under another key.
func (r *fixture) another(n int) *copier.Job {
	key := r.key + strconv.Itoa(n)
	return &copier.Job{
		URL: r.job.URL, Meta: r.job.Meta, Server: r.job.Server, SHA256: r.job.SHA256, Checkpoint: func(copier.State) {},
		Spec: func(m origin.Meta) storage.ObjectSpec {
			s := r.spec(m)
			s.Key = key
			return s
		},
	}
}

// TestCopiesDoNotWaitForEachOther has copies by ranges and streams share too few connections and too
// little memory, while the source refuses some of their ranges. A copy with a digest hashes its parts
// in order, so its later parts hold memory until the earlier ones are read.
func TestCopiesDoNotWaitForEachOther(t *testing.T) {
	const count, copies = 5, 9
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	r := inMemory(t, count*partSize)
	r.connect(t, 2)
	r.Memory = copier.NewMemory(4 * 8 * mib)
	r.MaxParts = semaphore.NewWeighted(5)
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		mu.Lock()
		dice := random.IntN(10)
		mu.Unlock()
		switch {
		case isRange(req) && dice == 0:
			w.WriteHeader(http.StatusTooManyRequests)
		case isRange(req) && dice == 1:
			w.WriteHeader(http.StatusNotFound) // The part is requested again while no other is read
		default:
			r.source.serveWhole(w, req)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	errs := make(chan error, copies)
	for i := range copies {
		job := r.another(i)
		if i%3 != 0 {
			job.SHA256 = true
		}
		job.Resume.Stream = i%4 == 0
		go func() {
			_, err := r.Run(ctx, job)
			errs <- err
		}()
	}
	for range copies {
		if err := <-errs; err != nil { // Another attempt would copy the object
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			var refusal *origin.Error
			require.ErrorAs(t, err, &refusal)
		}
	}
	held, waiting := r.Memory.Use()
	require.Zero(t, held+waiting)
}

// TestPartsThatWaitForTheirHostHoldNoMemory has a host with one connection. Two copies read from it in
// parallel ranges, the first of which does not end.
func TestPartsThatWaitForTheirHostHoldNoMemory(t *testing.T) {
	const count = 4
	r := inMemory(t, count*partSize)
	r.connect(t, 1)
	arrived, stuck := make(chan struct{}), make(chan struct{})
	r.source.serve = func(w http.ResponseWriter, req *http.Request, n int64) {
		if n == 1 {
			close(arrived)
			<-stuck
		}
		r.source.serveWhole(w, req)
	}
	var waiting [2]*copier.Job
	errs := make(chan error, len(waiting))
	for i := range waiting {
		waiting[i] = r.another(i)
		go func() {
			_, err := r.Run(t.Context(), waiting[i])
			errs <- err
		}()
	}
	<-arrived
	require.Eventually(t, func() bool {
		return waiting[0].Counters.Waiting.Load() > 0 && waiting[1].Counters.Waiting.Load() > 0
	}, 10*time.Second, time.Millisecond, "both copies wait for the host")
	held, queued := r.Memory.Use()
	require.EqualValues(t, 8*mib, held, "of the part that is in flight")
	require.Zero(t, queued)
	close(stuck)
	for range waiting {
		require.NoError(t, <-errs)
	}
	held, _ = r.Memory.Use()
	require.Zero(t, held)
}
