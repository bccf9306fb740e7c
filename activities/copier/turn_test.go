package copier_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// connect limits the connections to the source.
func (r *fixture) connect(t *testing.T, most int) {
	t.Helper()
	r.Source = newOrigin(t, most)
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

// TestCopiesDoNotWaitForEachOther has copies by ranges and streams share too few connections and
// too little memory, while the source refuses some of their ranges. A copy with a digest hashes its
// parts in order, so its later parts hold memory until the earlier parts are read.
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
