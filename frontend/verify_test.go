package frontend_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// headedBucket counts HEADs that have started.
type headedBucket struct {
	*storagetest.Memory
	heads atomic.Int64
	free  chan struct{} // Head blocks until it is closed; nil never blocks.
	err   error         // Of Head.
}

func (b *headedBucket) Head(ctx context.Context, key string) (storage.Stored, error) {
	b.heads.Add(1)
	if b.free != nil {
		<-b.free
	}
	if b.err != nil {
		return storage.Stored{}, b.err
	}
	return b.Memory.Head(ctx, key)
}

// verifying makes a fixture verify the copies in us-west-2, once for the time of any test.
func verifying(b *headedBucket) func(*options) {
	return func(o *options) { o.flight.Pools[0].Bucket, o.flight.VerifyEvery = b, 10*time.Minute }
}

// aged is a present entry that was made half an hour ago.
func aged() cache.Entry {
	return cachetest.Rules().Present(time.Now().Add(-30*time.Minute), cache.Copy{})
}

// endVerifications waits until those in flight have finished.
func (f *fixture) endVerifications() {
	f.flights.Stop()
	f.flights.Drain()
}

func (f *fixture) state(t *testing.T) cache.State {
	t.Helper()
	e, err := f.cache.Get(t.Context(), key())
	require.NoError(t, err)
	return e.State
}

func TestDeletedCopyIsRequestedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		path   string
		header []string
		edit   func(*options)
	}{
		"a known path":                   {path: path("")},
		"while no redirects are held":    {path: path(""), edit: func(o *options) { o.CacheEntries = 0 }},
		"the client's own region (auto)": {path: strings.Replace(path(""), "/us-west-2/", "/auto/", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			b := &headedBucket{Memory: &storagetest.Memory{}}
			f := newFixture(t, verifying(b), func(o *options) {
				o.RegionOf = func(*http.Request) (string, bool) { return "us-west-2", true }
				if tc.edit != nil {
					tc.edit(o)
				}
			})
			f.put(t, aged())
			require.Equal(t, copyURL("GET"), f.ask(t, "GET", tc.path).location)
			require.Eventually(t, func() bool { return f.state(t) == cache.Absent }, 5*time.Second, time.Millisecond)
			f.queue.copy = func(queue.Request) {
				_ = f.cache.Put(context.Background(), key(), 0, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			}
			require.Zero(t, f.queue.requests(queue.Put))
			a := f.ask(t, "GET", tc.path+"?max_wait=10s")
			require.Equal(t, copyURL("GET"), a.location)
			require.Equal(t, "cloud-mirror; fwd=miss", a.header.Get("Cache-Status"))
			require.Equal(t, 1, f.queue.requests(queue.Put))
			f.endVerifications()
			require.EqualValues(t, 2, b.heads.Load(), "one HEAD noticed, and one preceded the request")
		})
	}
}

// hit sends 500 requests to each front end, from several clients.
func hit(t *testing.T, frontEnds ...*fixture) {
	t.Helper()
	var clients sync.WaitGroup
	for _, f := range frontEnds {
		for range 10 {
			clients.Go(func() {
				for range 50 {
					w := httptest.NewRecorder()
					f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path(""), nil))
					assert.Equal(t, copyURL("GET"), w.Header().Get("Location"))
				}
			})
		}
	}
	clients.Wait()
}

func TestTwoFrontEndsVerifyOnce(t *testing.T) {
	for name, entries := range map[string]int{"known paths": 100, "while no redirects are held": 0} {
		t.Run(name, func(t *testing.T) {
			b := &headedBucket{Memory: &storagetest.Memory{}}
			edit := func(o *options) { o.CacheEntries = entries }
			first := newFixture(t, verifying(b), edit)
			second := newFixture(t, verifying(b), edit, func(o *options) { o.share(first) })
			_, err := b.Put(t.Context(), storage.ObjectSpec{Key: object().Key()}, b.Checksum().Body([]byte("x")))
			require.NoError(t, err)

			first.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			hit(t, first, second)
			require.Zero(t, b.heads.Load(), "a new copy was verified")

			first.put(t, aged())
			hit(t, first, second)
			require.Eventually(t, func() bool { return b.heads.Load() > 0 }, 5*time.Second, time.Millisecond)
			first.endVerifications()
			second.endVerifications()
			require.EqualValues(t, 1, b.heads.Load())
			require.Equal(t, cache.Present, first.state(t))
		})
	}
}

// The copy is verified again after every period, and at most once in each.
func TestTwoFrontEndsVerifyOnceInEachPeriod(t *testing.T) {
	const period, periods = 100 * time.Millisecond, 4
	b := &headedBucket{Memory: &storagetest.Memory{}}
	short := func(o *options) { o.flight.VerifyEvery = period }
	first := newFixture(t, verifying(b), short)
	second := newFixture(t, verifying(b), short, func(o *options) { o.share(first) })
	_, err := b.Put(t.Context(), storage.ObjectSpec{Key: object().Key()}, b.Checksum().Body([]byte("x")))
	require.NoError(t, err)
	first.put(t, aged())
	start := time.Now()
	for b.heads.Load() < periods {
		require.Less(t, time.Since(start), 20*time.Second)
		hit(t, first, second)
	}
	first.endVerifications()
	second.endVerifications()
	require.LessOrEqual(t, b.heads.Load(), int64(time.Since(start)/period)+1)
	require.Equal(t, cache.Present, first.state(t))
}

// Whatever the bucket does, hits stay as they are.
func TestHitsDuringAFailedVerification(t *testing.T) {
	for name, edit := range map[string]func(*headedBucket){
		"the bucket fails": func(b *headedBucket) { b.err = errors.New("down") },
		"the bucket hangs": func(b *headedBucket) { b.free = make(chan struct{}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := &headedBucket{Memory: &storagetest.Memory{}, err: errors.New("down")}
			edit(b)
			f := newFixture(t, verifying(b))
			f.put(t, aged())
			f.ask(t, "GET", path(""))
			require.Eventually(t, func() bool { return b.heads.Load() == 1 }, 5*time.Second, time.Millisecond)
			start := time.Now()
			hit(t, f)
			require.Less(t, time.Since(start), 5*time.Second, "hits wait for the HEAD")
			if b.free != nil {
				close(b.free)
			}
			f.endVerifications()
			require.Equal(t, cache.Present, f.state(t))
			require.EqualValues(t, 1, b.heads.Load())
		})
	}
}
