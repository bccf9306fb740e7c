package frontend_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// TestStatusDuringOutages requests the status of a copy while redis, the bucket or both fail. A
// status is never a guess.
func TestStatusDuringOutages(t *testing.T) {
	down := errors.New("down")
	pending := func(t *testing.T, f *fixture) {
		_, mine, err := f.cache.Acquire(t.Context(), key(), cachetest.Rules().Pending(time.Now(), "another", 0, -1))
		require.NoError(t, err)
		require.True(t, mine)
	}
	present := func(t *testing.T, f *fixture) { f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{})) }
	stored := func(t *testing.T, f *fixture) { f.store(t, "0") }
	for name, tc := range map[string]struct {
		prepare       func(*testing.T, *fixture)
		redis, bucket error
		want          string // the status, or empty for 503
	}{
		"no copy":                                  {nil, nil, nil, "absent"}, // control
		"pending":                                  {pending, nil, nil, "pending"},
		"pending, redis is down":                   {pending, down, nil, ""},
		"no copy, redis is down":                   {nil, down, nil, ""},
		"in the bucket, redis is down":             {stored, down, nil, string(cache.Present)},
		"in the bucket, redis has no entry":        {stored, nil, nil, string(cache.Present)},
		"no entry, the bucket is down":             {stored, nil, down, ""},
		"present, the bucket is down":              {present, nil, down, string(cache.Present)},
		"present, redis and the bucket are down":   {present, down, down, ""},
		"nothing known, redis and bucket are down": {nil, down, down, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tc.prepare != nil {
				tc.prepare(t, f)
			}
			f.cache.Fail(tc.redis)
			f.bucket.Err = tc.bucket
			a := f.ask(t, "GET", "/v1/status/s3/us-west-2/"+url.QueryEscape(source))
			if tc.want == "" {
				require.Equal(t, 503, a.status, "%v", a.body)
				require.Equal(t, "ServiceUnavailable", a.body["code"])
				require.NotEmpty(t, a.header.Get("Retry-After"))
				return
			}
			require.Equal(t, 200, a.status)
			require.Equal(t, tc.want, a.body["status"])
		})
	}
}

// countedBucket counts its HEADs, and holds each until free is closed.
type countedBucket struct {
	*storagetest.Memory
	heads atomic.Int64
	free  chan struct{}
}

func (b *countedBucket) Head(ctx context.Context, key string) (storage.Stored, error) {
	b.heads.Add(1)
	<-b.free
	return b.Memory.Head(ctx, key)
}

func (f *fixture) status(t *testing.T, n int, client, authorization string) answer {
	t.Helper()
	_, target := cold(n)
	return f.ask(t, "GET", strings.Replace(target, "redirect", "status", 1), "From", client, "Authorization", authorization)
}

// TestStatusesCostFewHeads: the burst of an anonymous client bounds its HEADs of the bucket.
func TestStatusesCostFewHeads(t *testing.T) {
	const burst = 5
	bucket, now := &countedBucket{Memory: &storagetest.Memory{}, free: make(chan struct{})}, time.Now()
	close(bucket.free)
	f := newFixture(t, fromHeader, func(o *options) {
		o.flight.Pools[0].Bucket, o.flight.StatusRate, o.flight.StatusBurst = bucket, 1, burst
		o.flight.Now = func() time.Time { return now }
	})
	const one, other = "192.0.2.1", "192.0.2.2"
	for i := range 3 * burst {
		a := f.status(t, i, one, "")
		if i < burst {
			require.Equal(t, 200, a.status)
			require.Equal(t, "absent", a.body["status"])
			continue
		}
		require.Equal(t, 429, a.status)
		require.Equal(t, map[string]any{
			"code": "TooManyRequests", "message": "This client requests the status of new objects too fast, try again",
		}, a.body)
		require.Equal(t, "1", a.header.Get("Retry-After"))
	}
	require.EqualValues(t, burst, bucket.heads.Load())
	require.Equal(t, map[string]float64{"status": 2 * burst}, f.limited(t))

	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	a := f.ask(t, "GET", strings.Replace(path(""), "redirect", "status", 1), "From", one)
	require.Equal(t, 200, a.status, "redis knows it")
	require.Equal(t, 200, f.status(t, 100, other, "").status, "another client")
	require.Equal(t, 200, f.status(t, 101, one, "Bearer "+token).status, "a token with the scope status")
	require.EqualValues(t, burst+2, bucket.heads.Load())
	now = now.Add(time.Second)
	require.Equal(t, 200, f.status(t, 102, one, "").status, "a second later")
	require.Equal(t, 429, f.status(t, 103, one, "").status)
}

func TestConcurrentStatusesShareAHead(t *testing.T) {
	const clients = 20
	bucket := &countedBucket{Memory: &storagetest.Memory{}}
	f := newFixture(t, func(o *options) { o.flight.Pools[0].Bucket = bucket })
	synctest.Test(t, func(t *testing.T) {
		bucket.free = make(chan struct{})
		_, target := cold(1)
		statuses := make(chan int, clients)
		for range clients {
			go func() {
				w := httptest.NewRecorder()
				f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, strings.Replace(target, "redirect", "status", 1), nil))
				statuses <- w.Code
			}()
		}
		synctest.Wait() // All clients wait for the HEAD.
		require.EqualValues(t, 1, bucket.heads.Load())
		close(bucket.free)
		for range clients {
			require.Equal(t, 200, <-statuses)
		}
		require.EqualValues(t, 1, bucket.heads.Load())
		require.Equal(t, 200, f.status(t, 1, "", "").status)
		require.EqualValues(t, 2, bucket.heads.Load(), "control: a later status has a HEAD of its own")
	})
}
