package frontend_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

func TestPing(t *testing.T) {
	a := newFixture(t).ask(t, "GET", "/v1/ping")
	require.Equal(t, 200, a.status)
	require.Equal(t, true, a.body["alive"])
	require.IsType(t, 1.5, a.body["uptime"])
}

func TestAPIReferenceNamesEveryRoute(t *testing.T) {
	f := newFixture(t, mirroring)
	a := f.ask(t, "GET", "/v1/api-reference")
	require.Equal(t, 200, a.status)
	require.Equal(t, "3.1.0", a.body["openapi"])
	// Every route that it names must exist: the router answers a missing one with 404 or 405.
	paths, _ := a.body["paths"].(map[string]any)
	require.Len(t, paths, 7)
	for path, operations := range paths {
		target := strings.NewReplacer("{service}", "s3", "{region}", "us-west-2", "{url}", url.QueryEscape(source),
			"{upstream}", "example.com", "{path}", "files/a.zip").Replace(path)
		for method := range operations.(map[string]any) {
			if method != "parameters" {
				got := f.ask(t, strings.ToUpper(method), target)
				require.NotContains(t, []int{404, 405}, got.status, "%s %s", method, path)
			}
		}
	}
}

func TestAPIReferenceNamesTheQueryParameters(t *testing.T) {
	f := newFixture(t)
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	var reference struct {
		Paths map[string]struct {
			Parameters []struct {
				Name, In string
				Schema   struct{ Examples []string }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(f.ask(t, "GET", "/v1/api-reference").raw), &reference))
	var names []string
	for _, p := range reference.Paths["/v1/redirect/{service}/{region}/{url}"].Parameters {
		if p.In != "query" {
			continue
		}
		names = append(names, p.Name)
		for _, example := range p.Schema.Examples {
			require.Equal(t, 302, f.ask(t, "GET", path("?"+p.Name+"="+example)).status, "%s=%s", p.Name, example)
		}
	}
	require.Equal(t, []string{"max_wait", "sha256"}, names)
}

func TestAPIReferenceListsEveryCacheStatus(t *testing.T) {
	f := newFixture(t, mirroring)
	f.copied(t, mirrored)
	require.NoError(t, f.cache.Put(t.Context(), cacheKey(mirrored+"3"), cache.AnyGeneration, cachetest.Rules().TooSmall(time.Now(), 1)))
	var reference struct {
		Components struct {
			Headers struct {
				CacheStatus struct{ Schema struct{ Enum []string } }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(f.ask(t, "GET", "/v1/api-reference").raw), &reference))
	var seen []string
	for _, target := range []string{
		mirrorPath, mirrorPath + "2", mirrorPath + "3", mirrorRoute + "s3/us-west-2/example.com/index", mirrorRoute + "s3/mars-1/example.com/index",
	} {
		seen = append(seen, f.ask(t, "GET", target).header.Get("Cache-Status"))
	}
	off := newFixture(t, func(o *options) { o.Bypasses = switchOff(t, cache.BypassOfHost("example.com")) })
	seen = append(seen, off.ask(t, "GET", path("")).header.Get("Cache-Status"))
	require.Equal(t, reference.Components.Headers.CacheStatus.Schema.Enum, seen)
}

func TestCopyThatIsMadeWhileTheClientWaits(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MaxWait = time.Minute })
	f.queue.copy = func(queue.Request) {
		_ = f.cache.Put(context.Background(), key(), 0, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	}
	a := f.ask(t, "GET", path(""))
	require.Equal(t, 302, a.status)
	require.Equal(t, copyURL("GET"), a.location)
	require.Equal(t, "cloud-mirror; fwd=miss", a.header.Get("Cache-Status"))
	require.Equal(t, []queue.Request{{Pool: "s3_us-west-2", URL: source, Action: queue.Put}}, f.queue.sent)
}

func TestCopyThatIsNotMade(t *testing.T) {
	f := newFixture(t)
	for _, tc := range []struct{ query, msg string }{
		{"?max_wait=0", "Cached copy did not show up in 0s"},
		{"", "Cached copy did not show up in 200ms"},
		{"?max_wait=1s", "Cached copy did not show up in 1s"},
	} {
		start := time.Now()
		a := f.ask(t, "GET", path(tc.query))
		require.Equal(t, 302, a.status)
		require.Equal(t, source, a.location)
		require.Equal(t, map[string]any{"url": source, "msg": tc.msg}, a.body)
		require.Less(t, time.Since(start), 10*time.Second)
		// One message for all of them: they wait for the same lease.
		require.Equal(t, 1, f.queue.requests(queue.Put), tc.query)
	}
}

func TestManyClientsMakeOneRequest(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MaxWait = time.Minute })
	release := make(chan struct{})
	f.queue.copy = func(queue.Request) {
		<-release
		_ = f.cache.Put(context.Background(), key(), 0, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	}
	// The first client leaves while the others wait.
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		f.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", path(""), nil))
	}()
	require.Eventually(t, func() bool { return f.queue.requests(queue.Put) == 1 }, 5*time.Second, time.Millisecond)

	locations := make(chan string, 50)
	for range cap(locations) {
		go func() {
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path(""), nil))
			locations <- w.Header().Get("Location")
		}()
	}
	leave()
	<-gone
	close(release)
	for range cap(locations) {
		require.Equal(t, copyURL("GET"), <-locations)
	}
	require.Equal(t, 1, f.queue.requests(queue.Put))
}

func TestBackfill(t *testing.T) {
	f := newFixture(t)
	f.store(t, "0")
	a := f.ask(t, "GET", path(""))
	require.Equal(t, copyURL("GET"), a.location)
	require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
	require.Zero(t, f.queue.requests(queue.Put))
	require.Equal(t, 1, f.bucket.Heads)

	// The entry is restored.
	require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("")).location)
	require.Equal(t, 1, f.bucket.Heads)
}

func TestPurgedCopyInTheBucketIsIgnored(t *testing.T) {
	f := newFixture(t)
	generation, err := f.cache.Purge(t.Context(), key())
	require.NoError(t, err)
	f.store(t, "0") // Started before the purge, finished after it.
	require.Equal(t, source, f.ask(t, "GET", path("")).location)
	require.Equal(t, 1, f.queue.requests(queue.Put))

	other := newFixture(t, func(o *options) { o.share(f) })
	require.NoError(t, f.cache.Abandon(t.Context(), key()))
	require.Positive(t, generation)
	other.store(t, "99999999999999") // Started after it.
	require.Equal(t, copyURL("GET"), other.ask(t, "GET", path("")).location)
}

// leave sends a request whose client has already left.
func (f *fixture) leave(t *testing.T, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, method, target, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

func TestClientThatLeaves(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MaxWait = time.Minute })
	w := f.leave(t, "GET", path(""))
	require.Equal(t, 302, w.Code, "a client that half-closed its connection got no answer")
	require.Equal(t, source, w.Header().Get("Location"))
	// Its copy is requested, and no flight is left waiting.
	require.Eventually(t, func() bool { return f.queue.requests(queue.Put) == 1 }, 5*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return f.cache.Waiting(key()) == 0 }, 5*time.Second, time.Millisecond)
}

// slowBucket blocks HEADs of the source's copy until free is closed.
type slowBucket struct {
	*storagetest.Memory
	free chan struct{}
}

func (b slowBucket) Head(ctx context.Context, key string) (storage.Stored, error) {
	if key == object().Key() {
		<-b.free
	}
	return b.Memory.Head(ctx, key)
}

func TestTwoFrontEndsHeadAndRequestOnce(t *testing.T) {
	for name, exists := range map[string]bool{"the bucket has it": true, "there is no copy": false} {
		t.Run(name, func(t *testing.T) {
			first := newFixture(t)
			if exists {
				first.store(t, "0")
			}
			free := make(chan struct{})
			share := func(o *options) {
				o.share(first)
				o.flight.Queue = first.queue
				o.flight.Pools[0].Bucket = slowBucket{first.bucket, free}
				o.MaxWait = 700 * time.Millisecond
			}
			var clients sync.WaitGroup
			locations := make(chan string, 6)
			for range 2 {
				f := newFixture(t, share)
				for range 3 {
					clients.Go(func() {
						w := httptest.NewRecorder()
						f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path(""), nil))
						locations <- w.Header().Get("Location")
					})
				}
			}
			require.Eventually(t, func() bool { return first.cache.Waiting(key()) == 2 }, 5*time.Second, time.Millisecond)
			close(free)
			clients.Wait()
			want, puts := source, 1
			if exists {
				want, puts = copyURL("GET"), 0
			}
			for range cap(locations) {
				require.Equal(t, want, <-locations)
			}
			require.Equal(t, puts, first.queue.requests(queue.Put))
			require.Equal(t, 1, first.bucket.Heads)
		})
	}
}
