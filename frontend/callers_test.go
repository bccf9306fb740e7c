package frontend_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

func TestPrefer(t *testing.T) {
	for name, tc := range map[string]struct {
		prefer  string
		query   string
		msg     string
		applied string
	}{
		"a wait":                     {"wait=1", "", "Cached copy did not show up in 1s", "wait=1"},
		"none":                       {"", "", "Cached copy did not show up in 200ms", ""},
		"no wait":                    {"wait=0", "", "Cached copy did not show up in 0s", "wait=0"},
		"among others":               {`respond-async, Wait = "1"; x=y, wait=9`, "", "Cached copy did not show up in 1s", "wait=1"},
		"too long: capped":           {"wait=1000", "?max_wait=0", "Cached copy did not show up in 0s", ""},
		"the query takes precedence": {"wait=9", "?max_wait=1s", "Cached copy did not show up in 1s", ""},
		"not a number":               {"wait=soon", "", "Cached copy did not show up in 200ms", ""},
		"another preference":         {"waiting=9", "", "Cached copy did not show up in 200ms", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			a := f.ask(t, "GET", path(tc.query), "Prefer", tc.prefer)
			require.Equal(t, 302, a.status)
			require.Equal(t, tc.msg, a.body["msg"])
			require.Equal(t, tc.applied, a.header.Get("Preference-Applied"))
		})
	}
	t.Run("longer than the limit", func(t *testing.T) {
		f := newFixture(t, func(o *options) { o.MaxWaitLimit = time.Second })
		require.Equal(t, "wait=1", f.ask(t, "GET", path(""), "Prefer", "wait=1000").header.Get("Preference-Applied"))
	})
}

func TestChain(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	f := newFixture(t, func(o *options) { o.Chain, o.MaxWait = 200*time.Millisecond, 500*time.Millisecond })
	// Follow the redirects as a client does.
	target, hops := path("?sha256="+digest), []string(nil)
	for range 5 {
		a := f.ask(t, "GET", target)
		require.Equal(t, 302, a.status)
		hops = append(hops, strings.TrimPrefix(a.location, path("")))
		if target = a.location; target == source {
			require.Equal(t, "Cached copy did not show up in 100ms", a.body["msg"])
			break
		}
	}
	require.Equal(t, []string{"?max_wait=300ms&sha256=" + digest, "?max_wait=100ms&sha256=" + digest, source}, hops)
	require.Equal(t, 1, f.queue.requests(queue.Put))

	t.Run("the copy is made between two requests", func(t *testing.T) {
		f := newFixture(t, func(o *options) { o.Chain, o.MaxWait = 100*time.Millisecond, time.Minute })
		a := f.ask(t, "HEAD", path(""))
		require.Equal(t, path("?max_wait=59.9s"), a.location)
		f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
		require.Equal(t, copyURL("HEAD"), f.ask(t, "HEAD", a.location).location)
	})
}

func TestCORS(t *testing.T) {
	f := newFixture(t)
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	want := map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Max-Age": "900", "Access-Control-Request-Method": "*",
		"Access-Control-Allow-Methods": "OPTIONS,GET,HEAD,POST,PUT,DELETE,TRACE,CONNECT",
		"Access-Control-Allow-Headers": "X-Requested-With,Content-Type,Authorization,Accept,Origin,Cache-Control,Prefer,Range," +
			"If-Match,If-Modified-Since,If-None-Match,If-Range,If-Unmodified-Since",
		"Access-Control-Expose-Headers": "Cache-Status,Cloud-Mirror-Region,Cloud-Mirror-Workflow-Id,Preference-Applied,Retry-After,X-Request-Id",
	}
	for name, tc := range map[string]struct {
		method, target, origin string
		status                 int
	}{
		"a redirect from a script":      {"GET", path(""), "https://app.example", 302},
		"the same redirect from memory": {"GET", path(""), "https://app.example", 302},
		"a refusal":                     {"GET", "/v1/redirect/s3/mars-1/x", "https://app.example", 404},
		"a purge without a token":       {"DELETE", "/v1/purge/s3/us-west-2/x", "https://app.example", 401},
		"a preflight":                   {"OPTIONS", path(""), "https://app.example", 204},
		"a preflight of a purge":        {"OPTIONS", "/v1/purge/s3/us-west-2/x", "", 204},
		"an empty Origin":               {"GET", path(""), "", 302},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.ask(t, tc.method, tc.target, "Origin", tc.origin)
			require.Equal(t, tc.status, a.status)
			for name, value := range want {
				require.Equal(t, value, a.header.Get(name), name)
			}
		})
	}
	r := httptest.NewRequest(http.MethodGet, path(""), nil)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), "the request had no Origin")
}

func TestHEADEverywhere(t *testing.T) {
	f := newFixture(t)
	status := strings.Replace(path(""), "/redirect/", "/status/", 1)
	for _, target := range []string{"/v1/ping", "/v1/api-reference", status, path("?max_wait=0")} {
		get, head := f.ask(t, "GET", target), f.ask(t, "HEAD", target)
		require.Equal(t, get.status, head.status, target)
		require.Equal(t, get.header.Get("Content-Type"), head.header.Get("Content-Type"), target)
	}
}

func TestAutoRegion(t *testing.T) {
	regions := map[string]string{"west": "us-west-2", "east": "us-east-1"}
	f := newFixture(t, func(o *options) {
		o.RegionOf = func(r *http.Request) (string, bool) {
			region, ok := regions[r.Header.Get("From")]
			return region, ok
		}
	})
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	auto := strings.Replace(path(""), "/us-west-2/", "/auto/", 1)
	for range 2 { // The second time from memory, if anything was kept.
		a := f.ask(t, "GET", auto, "From", "west")
		require.Equal(t, copyURL("GET"), a.location)
		require.Equal(t, "us-west-2", a.header.Get("Cloud-Mirror-Region"))

		a = f.ask(t, "GET", auto+"?max_wait=0", "From", "east")
		require.Equal(t, source, a.location, "us-east-1 has no copy yet")
		require.Equal(t, "us-east-1", a.header.Get("Cloud-Mirror-Region"))

		a = f.ask(t, "GET", auto, "From", "nowhere")
		require.Equal(t, source, a.location)
		require.Equal(t, "The region that you call from is not known", a.body["msg"])
		require.Empty(t, a.header.Get("Cloud-Mirror-Region"))
	}
	require.Equal(t, 1, f.queue.requests(queue.Put))
	require.Equal(t, "s3_us-east-1", f.queue.sent[0].Pool)

	// An invalid request is refused, whatever its client's region.
	bad := strings.Replace(auto, "example.com", "evil.example", 1)
	require.Equal(t, 403, f.ask(t, "GET", bad, "From", "nowhere").status)
	require.Equal(t, 400, f.ask(t, "GET", auto+"?x=y", "From", "nowhere").status)
	require.Equal(t, 404, f.ask(t, "GET", strings.Replace(auto, "/s3/", "/gcs/", 1), "From", "west").status)

	status := strings.Replace(auto, "/redirect/", "/status/", 1)
	require.Equal(t, "present", f.ask(t, "GET", status, "From", "west").body["status"])
	require.Equal(t, 404, f.ask(t, "GET", status, "From", "nowhere").status)
	require.Equal(t, 404, newFixture(t).ask(t, "GET", auto).status, "auto is not configured")
}

// An auto path is kept for each region, so that its answers are reused.
func TestAutoPathIsKept(t *testing.T) {
	s := &signer{Memory: &storagetest.Memory{}, works: time.Hour}
	f := newFixture(t, func(o *options) {
		o.flight.Pools[0].Bucket = s
		o.RegionOf = func(r *http.Request) (string, bool) { return r.Header.Get("From"), true }
	})
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	auto := strings.Replace(path(""), "/us-west-2/", "/auto/", 1)
	for range 3 {
		require.Contains(t, f.ask(t, "GET", auto, "From", "us-west-2").location, "/GET/1")
		require.Equal(t, source, f.ask(t, "GET", auto+"?max_wait=0", "From", "us-east-1").location, "another region")
	}
	require.Equal(t, 1, s.made)
}

func TestStatus(t *testing.T) {
	now := time.Now()
	r := cachetest.Rules()
	status := strings.Replace(path(""), "/redirect/", "/status/", 1)
	transient := r.Transient(now, 1, cache.Reason{Class: "SourceUnreachable", Text: "private"})
	in := func(d time.Duration) string { return now.Add(d).UTC().Truncate(time.Second).Format(time.RFC3339) }
	for name, tc := range map[string]struct {
		entry cache.Entry
		want  map[string]any
	}{
		"present":                  {r.Present(now, cache.Copy{}), map[string]any{"status": "present"}},
		"pending":                  {r.Pending(now, "a", 5, 10), map[string]any{"status": "pending", "done": 5.0, "total": 10.0}},
		"pending, total not known": {r.Pending(now, "a", 0, -1), map[string]any{"status": "pending", "done": 0.0}},
		"the source's 404": {
			r.Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true, Text: "private"}),
			map[string]any{
				"status": "error", "error": "BadHTTPStatus", "httpStatus": 404.0, "retried": false, "until": in(r.NegativeTTL),
			},
		},
		"an object whose copies kept failing": {
			r.Unmirrorable(now, cache.Reason{Class: "SourceTruncated", Text: "private"}),
			map[string]any{
				"status": "error", "error": "SourceTruncated", "retried": false, "until": in(r.UnmirrorableTTL), "unmirrorable": true,
			},
		},
		"a transient error": {
			transient,
			map[string]any{
				"status": "error", "error": "SourceUnreachable", "retried": true, "until": in(transient.Deadline.Sub(now)),
			},
		},
		"absent": {cache.Entry{}, map[string]any{"status": "absent"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tc.entry.State != cache.Absent {
				f.put(t, tc.entry)
			}
			a := f.ask(t, "GET", status)
			require.Equal(t, 200, a.status)
			tc.want["workflowId"] = workflowOf(source)
			require.Equal(t, tc.want, a.body)
			require.NotContains(t, a.raw, "private")
			require.Zero(t, f.queue.requests(queue.Put))
		})
	}
	t.Run("only the bucket has it", func(t *testing.T) {
		f := newFixture(t)
		f.store(t, "0")
		require.Equal(t, map[string]any{"status": "present", "workflowId": workflowOf(source)}, f.ask(t, "GET", status).body)
	})
	t.Run("no such region", func(t *testing.T) {
		require.Equal(t, 404, newFixture(t).ask(t, "GET", "/v1/status/s3/mars-1/x").status)
	})
}

func TestCapsOnWaiters(t *testing.T) {
	for name, tc := range map[string]struct{ inAll, perObject, perClient, fit, status int }{
		"in all":     {3, 100, 100, 3, 503},
		"per object": {100, 2, 100, 2, 503},
		"per client": {100, 100, 4, 4, 429},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *options) {
				o.flight.MaxWaiters, o.flight.MaxWaitersPerObject, o.flight.MaxWaitersPerClient = tc.inAll, tc.perObject, tc.perClient
				o.MaxWait, o.AtLimit = time.Minute, frontend.AtLimitRefuse
			})
			answers := make(chan int, 10)
			var all sync.WaitGroup
			for range cap(answers) {
				all.Go(func() {
					w := httptest.NewRecorder()
					f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path(""), nil))
					answers <- w.Code
					if w.Code == tc.status {
						require.NotEmpty(t, w.Header().Get("Retry-After"))
					}
				})
			}
			for range cap(answers) - tc.fit {
				require.Equal(t, tc.status, <-answers)
			}
			require.Eventually(t, func() bool { return f.queue.requests(queue.Put) == 1 }, 5*time.Second, time.Millisecond)
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			for range tc.fit {
				require.Equal(t, 302, <-answers)
			}
			all.Wait()
			require.Equal(t, 1, f.queue.requests(queue.Put))
			// Clients that left made room.
			_, err := f.cache.Purge(t.Context(), key())
			require.NoError(t, err)
			require.Equal(t, 302, f.ask(t, "GET", path("?max_wait=0")).status)
		})
	}
}

// hungQueue never answers.
type hungQueue struct{ calls chan struct{} }

func (q hungQueue) Send(ctx context.Context, _ queue.Request) error {
	q.calls <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func TestHungQueueCostsOneClient(t *testing.T) {
	q := hungQueue{make(chan struct{}, 1000)}
	f := newFixture(t, func(o *options) { o.flight.Queue, o.MaxWait = q, time.Minute })
	start := time.Now()
	for i := range 50 {
		object := strings.Replace(path(""), "b.zip", strings.Repeat("b", i+1), 1)
		a := f.ask(t, "GET", object)
		require.Equal(t, 302, a.status)
		require.Equal(t, "Cached copy could not be requested", a.body["msg"])
	}
	// The first client pays a second, and so does each try half a second later.
	require.Less(t, time.Since(start), 10*time.Second)
	require.Less(t, len(q.calls), 10)
}
