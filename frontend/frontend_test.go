package frontend_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

const (
	source = "https://example.com/a/b.zip?sig=secret"
	token  = "s3cret"
)

// queueDouble stands for SQS and, if copy is set, for everything behind it.
type queueDouble struct {
	mu   sync.Mutex
	err  error
	sent []queue.Request
	copy func(queue.Request)
}

func (q *queueDouble) Send(ctx context.Context, r queue.Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	q.sent = append(q.sent, r)
	if q.copy != nil {
		go q.copy(r)
	}
	return nil
}

func (q *queueDouble) requests(action queue.Action) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.sent {
		if r.Action == action {
			n++
		}
	}
	return n
}

// house is a front end with doubles around it.
type house struct {
	handler http.Handler
	cache   *cachetest.Memory
	queue   *queueDouble
	bucket  *storagetest.Memory // of us-west-2
	other   *storagetest.Memory // of us-east-1
}

func newHouse(t *testing.T, edit ...func(*frontend.Options)) *house {
	t.Helper()
	sources, err := origin.New(origin.Config{AllowedPatterns: []string{`https://example\.com/`}, EnsureSSL: true})
	require.NoError(t, err)
	h := &house{
		cache: &cachetest.Memory{}, queue: &queueDouble{},
		bucket: &storagetest.Memory{}, other: &storagetest.Memory{},
	}
	o := frontend.Options{
		Pools: []*frontend.Pool{
			{Pool: storage.Pool{Service: "s3", Region: "us-west-2"}, Bucket: h.bucket},
			{Pool: storage.Pool{Service: "s3", Region: "us-east-1"}, Bucket: h.other},
		},
		Cache: h.cache, Watcher: h.cache, Queue: h.queue, Admit: sources.Admit, Rules: cachetest.Rules(),
		MaxWait: 200 * time.Millisecond, WaitLimit: time.Minute, PurgeToken: token,
		Log: zerolog.New(zerolog.NewTestWriter(t)), Registry: prometheus.NewRegistry(), Name: "test",
	}
	for _, f := range edit {
		f(&o)
	}
	h.handler = frontend.New(o).Handler()
	return h
}

func object() storage.Object {
	return storage.Object{Service: "s3", Region: "us-west-2", URL: source}
}

func key() string { return cache.Key(object().PoolID(), object().Hash()) }

func (h *house) put(t *testing.T, e cache.Entry) {
	t.Helper()
	require.NoError(t, h.cache.Put(t.Context(), key(), cache.AnyGeneration, e))
}

func (h *house) store(t *testing.T, generation string) {
	t.Helper()
	_, err := h.bucket.Upload(t.Context(), storage.UploadInput{
		Key: object().Key(), Body: strings.NewReader("x"), Size: 1,
		Metadata: map[string]string{storage.MetadataGeneration: generation},
	})
	require.NoError(t, err)
}

// answer is a response as a client sees it.
type answer struct {
	status   int
	location string
	header   http.Header
	body     map[string]any
	raw      string
}

func (h *house) ask(t *testing.T, method, target string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Result().Body)
	require.NoError(t, err)
	a := answer{status: w.Code, location: w.Header().Get("Location"), header: w.Header(), raw: string(raw)}
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &a.body), a.raw)
	}
	return a
}

// path is the redirect path of the source, with a query to follow.
func path(suffix string) string {
	return "/v1/redirect/s3/us-west-2/" + url.QueryEscape(source) + suffix
}

func copyURL(method string) string {
	return "https://bucket.example/" + object().Key() + "?method=" + method
}

func TestRequests(t *testing.T) {
	std := base64.StdEncoding.EncodeToString([]byte(source))
	for name, tc := range map[string]struct {
		request string // method and target
		status  int
		code    string // of the body: code or err
		message string // of the body: message or msg
	}{
		"percent-encoded":               {"GET " + path(""), 302, "", ""},
		"percent-encoded in lower case": {"GET /v1/redirect/s3/us-west-2/" + strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(source), "%3A", "%3a"), "%2F", "%2f"), 302, "", ""},
		"base64":                        {"GET /v1/redirect/s3/us-west-2/" + url.PathEscape(std), 302, "", ""},
		"base64 unpadded":               {"GET /v1/redirect/s3/us-west-2/" + url.PathEscape(strings.TrimRight(std, "=")), 302, "", ""},
		"base64 URL alphabet":           {"GET /v1/redirect/s3/us-west-2/" + base64.RawURLEncoding.EncodeToString([]byte(source)), 302, "", ""},
		"upper case host":               {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("HTTPS://EXAMPLE.com:443/a/b.zip?sig=secret#x"), 302, "", ""},
		"HEAD":                          {"HEAD " + path(""), 302, "", ""},
		"max_wait":                      {"GET " + path("?max_wait=5s"), 302, "", ""},
		"not encoded":                   {"GET /v1/redirect/s3/us-west-2/https://example.com/a/b.zip", 400, "InputError", "URL Must be URL Encoded!"},
		"not encoded, with its query":   {"GET /v1/redirect/s3/us-west-2/https://example.com/a/b.zip?sig=x", 400, "InputError", "URL Must be URL Encoded!"},
		"encoded but for its query":     {"GET /v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Fa?sig=x", 400, "InputError", "URL Must be URL Encoded!"},
		"a bare question mark":          {"GET " + path("?"), 400, "InputError", "URL Must be URL Encoded!"},
		"max_wait and another":          {"GET " + path("?max_wait=1s&sig=x"), 400, "InputError", "URL Must be URL Encoded!"},
		"max_wait not a duration":       {"GET " + path("?max_wait=soon"), 400, "InputError", "max_wait must be a duration from 0 to 1m0s, e.g. 5s"},
		"max_wait negative":             {"GET " + path("?max_wait=-1s"), 400, "InputError", "max_wait must be a duration from 0 to 1m0s, e.g. 5s"},
		"max_wait too long":             {"GET " + path("?max_wait=2m"), 400, "InputError", "max_wait must be a duration from 0 to 1m0s, e.g. 5s"},
		"encoded twice":                 {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape(url.QueryEscape(source)), 400, "InputError", "URL Must be URL Encoded!"},
		"neither URL nor base64":        {"GET /v1/redirect/s3/us-west-2/%21%21", 400, "InputError", "URL Must be URL Encoded!"},
		"base64 of no URL":              {"GET /v1/redirect/s3/us-west-2/aGVsbG8", 400, "InputError", "URL Must be URL Encoded!"},
		"no URL":                        {"GET /v1/redirect/s3/us-west-2/", 400, "InputError", "URL Must be URL Encoded!"},
		"service unknown":               {"GET /v1/redirect/gcs/us-west-2/" + url.QueryEscape(source), 404, "ResourceNotFound", "No such service and region are configured here"},
		"region unknown":                {"GET /v1/redirect/s3/mars-1/" + url.QueryEscape(source), 404, "ResourceNotFound", "No such service and region are configured here"},
		"region all":                    {"GET /v1/redirect/s3/all/" + url.QueryEscape(source), 404, "ResourceNotFound", "No such service and region are configured here"},
		"host not allowed":              {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://evil.example/x?sig=secret"), 403, "InvalidUrl", ""},
		"host not allowed, allowed one in its query": {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://evil.example/?https://example.com/"), 403, "InvalidUrl", ""},
		"not https":      {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("http://example.com/x"), 403, "InvalidUrl", ""},
		"another scheme": {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("file://example.com/x"), 403, "InvalidUrl", ""},
		"user info":      {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://u:p@example.com/x"), 403, "InvalidUrl", ""},
		"IPv6 zone":      {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://[::1%25x.example.com]/x"), 403, "InvalidUrl", ""},
		"POST":           {"POST " + path(""), 405, "MethodNotAllowed", "Method not allowed here, see the Allow header"},
		"no such path":   {"GET /v1/nothing", 404, "ResourceNotFound", "No such resource, see /v1/api-reference"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.put(t, cachetest.Rules().Present(time.Now(), time.Time{}))
			method, target, _ := strings.Cut(tc.request, " ")
			a := h.ask(t, method, target)
			require.Equal(t, tc.status, a.status, a.raw)
			require.NotContains(t, strings.ReplaceAll(a.raw, source, ""), "secret")
			require.Zero(t, h.queue.requests(queue.Put))
			require.Equal(t, "no-store", a.header.Get("Cache-Control"), "a client might keep it longer than the copy is there")
			if tc.status == 302 {
				// Every form of one URL is one object, and the signature is for the method.
				require.Equal(t, copyURL(method), a.location)
				require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
				if method == http.MethodGet {
					require.Equal(t, map[string]any{"status": "present", "url": copyURL(method)}, a.body)
				}
				return
			}
			kind, text := "code", "message"
			if tc.status == 403 {
				kind, text = "err", "msg"
			}
			require.Equal(t, tc.code, a.body[kind], a.raw)
			require.NotEmpty(t, a.body[text])
			if tc.message != "" {
				require.Equal(t, tc.message, a.body[text])
			}
		})
	}
}

func TestPing(t *testing.T) {
	a := newHouse(t).ask(t, "GET", "/v1/ping")
	require.Equal(t, 200, a.status)
	require.Equal(t, true, a.body["alive"])
	require.IsType(t, 1.5, a.body["uptime"])
}

func TestAPIReferenceNamesEveryRoute(t *testing.T) {
	h := newHouse(t)
	a := h.ask(t, "GET", "/v1/api-reference")
	require.Equal(t, 200, a.status)
	require.Equal(t, "3.1.0", a.body["openapi"])
	// Whatever it names must be there: a route that is not answers with the router's own 404 or 405.
	paths, _ := a.body["paths"].(map[string]any)
	require.Len(t, paths, 4)
	for path, operations := range paths {
		target := strings.NewReplacer("{service}", "s3", "{region}", "us-west-2", "{url}", url.QueryEscape(source)).Replace(path)
		for method := range operations.(map[string]any) {
			if method != "parameters" {
				got := h.ask(t, strings.ToUpper(method), target)
				require.NotContains(t, []int{404, 405}, got.status, "%s %s", method, path)
			}
		}
	}
}

func TestCopyThatIsMadeWhileTheClientWaits(t *testing.T) {
	h := newHouse(t, func(o *frontend.Options) { o.MaxWait = time.Minute })
	h.queue.copy = func(queue.Request) {
		_ = h.cache.Put(context.Background(), key(), 0, cachetest.Rules().Present(time.Now(), time.Time{}))
	}
	a := h.ask(t, "GET", path(""))
	require.Equal(t, 302, a.status)
	require.Equal(t, copyURL("GET"), a.location)
	require.Equal(t, "cloud-mirror; fwd=miss", a.header.Get("Cache-Status"))
	require.Equal(t, []queue.Request{{Pool: "s3_us-west-2", URL: source, Action: queue.Put}}, h.queue.sent)
}

func TestCopyThatDoesNotCome(t *testing.T) {
	h := newHouse(t)
	for _, tc := range []struct{ query, msg string }{
		{"?max_wait=0", "Cached copy did not show up in 0s"},
		{"", "Cached copy did not show up in 200ms"},
		{"?max_wait=1s", "Cached copy did not show up in 1s"},
	} {
		start := time.Now()
		a := h.ask(t, "GET", path(tc.query))
		require.Equal(t, 302, a.status)
		require.Equal(t, source, a.location)
		require.Equal(t, map[string]any{"url": source, "msg": tc.msg}, a.body)
		require.Less(t, time.Since(start), 2*time.Second)
		// One message for all of them: they wait for the same lease.
		require.Equal(t, 1, h.queue.requests(queue.Put), tc.query)
	}
}

func TestManyClientsMakeOneRequest(t *testing.T) {
	h := newHouse(t, func(o *frontend.Options) { o.MaxWait = time.Minute })
	release := make(chan struct{})
	h.queue.copy = func(queue.Request) {
		<-release
		_ = h.cache.Put(context.Background(), key(), 0, cachetest.Rules().Present(time.Now(), time.Time{}))
	}
	// The first client leaves while the others wait.
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		h.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", path(""), nil))
	}()
	require.Eventually(t, func() bool { return h.queue.requests(queue.Put) == 1 }, 5*time.Second, time.Millisecond)

	locations := make(chan string, 50)
	for range cap(locations) {
		go func() {
			w := httptest.NewRecorder()
			h.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path(""), nil))
			locations <- w.Header().Get("Location")
		}()
	}
	leave()
	<-gone
	close(release)
	for range cap(locations) {
		require.Equal(t, copyURL("GET"), <-locations)
	}
	require.Equal(t, 1, h.queue.requests(queue.Put))
}

func TestErrors(t *testing.T) {
	now := time.Now()
	r := cachetest.Rules()
	for name, tc := range map[string]struct {
		entry    cache.Entry
		status   int
		body     map[string]any
		location string
	}{
		"the source's 404": {
			r.Failed(now, "BadHTTPStatus", 404, true, "private"), 404,
			map[string]any{"msg": "Unexpected HTTP Status: 404", "err": "BadHTTPStatus"}, "",
		},
		"the source's 410": {
			r.Failed(now, "BadHTTPStatus", 410, true, "private"), 410,
			map[string]any{"msg": "Unexpected HTTP Status: 410", "err": "BadHTTPStatus"}, "",
		},
		"a hop that is not allowed": {
			r.Failed(now, "InvalidUrl", 0, true, "private"), 403,
			map[string]any{"msg": "The URL, or a hop of its redirects, is not allowed", "err": "InvalidUrl"}, "",
		},
		"what can't be copied": {
			r.Failed(now, "TooManyRedirects", 0, true, "private"), 302,
			map[string]any{"msg": "Object could not be copied: TooManyRedirects", "url": source}, source,
		},
		"what may work later": {
			r.Failed(now, "SourceUnreachable", 0, false, "private"), 302,
			map[string]any{"msg": "Cached copy did not show up in 200ms", "url": source}, source,
		},
		"the source's 503": {
			r.Failed(now, "BadHTTPStatus", 503, false, "private"), 302,
			map[string]any{"msg": "Cached copy did not show up in 200ms", "url": source}, source,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.put(t, tc.entry)
			a := h.ask(t, "GET", path(""))
			require.Equal(t, tc.status, a.status)
			require.Equal(t, tc.body, a.body)
			require.Equal(t, tc.location, a.location)
			require.Equal(t, "cloud-mirror; fwd=miss", a.header.Get("Cache-Status"))
			require.Zero(t, h.queue.requests(queue.Put), "asked for again before its time")
		})
	}
}

func TestTransientErrorIsRetriedWhileAClientWaits(t *testing.T) {
	h := newHouse(t, func(o *frontend.Options) { o.MaxWait = time.Minute })
	rules := cachetest.Rules()
	rules.RetryAfter = 50 * time.Millisecond
	h.put(t, rules.Failed(time.Now(), "SourceUnreachable", 0, false, ""))
	h.queue.copy = func(queue.Request) {
		_ = h.cache.Put(context.Background(), key(), 0, rules.Present(time.Now(), time.Time{}))
	}
	require.Equal(t, copyURL("GET"), h.ask(t, "GET", path("")).location)
	require.Equal(t, 1, h.queue.requests(queue.Put))
}

func TestBackfill(t *testing.T) {
	h := newHouse(t)
	h.store(t, "0")
	a := h.ask(t, "GET", path(""))
	require.Equal(t, copyURL("GET"), a.location)
	require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
	require.Zero(t, h.queue.requests(queue.Put))
	require.Equal(t, 1, h.bucket.Heads)

	// The entry is back.
	require.Equal(t, copyURL("GET"), h.ask(t, "GET", path("")).location)
	require.Equal(t, 1, h.bucket.Heads)
}

func TestWhatWasPurgedIsNotFoundInTheBucket(t *testing.T) {
	h := newHouse(t)
	generation, err := h.cache.Purge(t.Context(), key())
	require.NoError(t, err)
	h.store(t, "0") // begun before the purge, finished after it
	require.Equal(t, source, h.ask(t, "GET", path("")).location)
	require.Equal(t, 1, h.queue.requests(queue.Put))

	h2 := newHouse(t, func(o *frontend.Options) { o.Cache, o.Watcher = h.cache, h.cache })
	require.NoError(t, h.cache.Abandon(t.Context(), key()))
	require.Positive(t, generation)
	h2.store(t, "99999999999999") // begun after it
	require.Equal(t, copyURL("GET"), h2.ask(t, "GET", path("")).location)
}

func TestDependenciesThatAreDown(t *testing.T) {
	down := errors.New("down")
	for name, tc := range map[string]struct {
		prepare  func(*testing.T, *house)
		location string
		msg      string
		puts     int
	}{
		"redis, the copy is there": {func(t *testing.T, h *house) { h.store(t, "0"); h.cache.Fail(down) }, copyURL("GET"), "", 0},
		"redis, no copy": {
			func(_ *testing.T, h *house) { h.cache.Fail(down) }, source, "Cached copy did not show up in 200ms", 1,
		},
		"redis, the copy comes": {func(t *testing.T, h *house) {
			h.cache.Fail(down)
			h.queue.copy = func(queue.Request) { h.store(t, "0") }
		}, copyURL("GET"), "", 1},
		"redis, from the lease on": {func(_ *testing.T, h *house) { h.cache.FailAfter(2, down) }, source, "Cached copy did not show up in 200ms", 1},
		"SQS":                      {func(_ *testing.T, h *house) { h.queue.err = down }, source, "Cached copy could not be requested", 0},
		"SQS and redis": {
			func(_ *testing.T, h *house) { h.queue.err = down; h.cache.Fail(down) }, source,
			"Cached copy could not be requested", 0,
		},
		"S3, the entry says that the copy is there": {func(t *testing.T, h *house) {
			h.put(t, cachetest.Rules().Present(time.Now(), time.Time{}))
			h.bucket.Err = down
		}, copyURL("GET"), "", 0},
		"S3, no entry": {
			func(_ *testing.T, h *house) { h.bucket.Err = down }, source, "Cached copy did not show up in 200ms", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			tc.prepare(t, h)
			start := time.Now()
			a := h.ask(t, "GET", path(""))
			require.Less(t, time.Since(start), 1200*time.Millisecond, "longer than the wait plus a second")
			require.Equal(t, 302, a.status)
			require.Equal(t, tc.location, a.location)
			if tc.msg != "" {
				require.Equal(t, tc.msg, a.body["msg"])
			}
			require.Equal(t, tc.puts, h.queue.requests(queue.Put))
		})
	}
}

func TestSQSDownLeavesNoPendingBehind(t *testing.T) {
	h := newHouse(t)
	h.queue.err = errors.New("down")
	require.Equal(t, source, h.ask(t, "GET", path("")).location)
	e, err := h.cache.Get(t.Context(), key())
	require.NoError(t, err)
	require.Equal(t, cache.Absent, e.State)

	h.queue.err = nil
	h.ask(t, "GET", path(""))
	require.Equal(t, 1, h.queue.requests(queue.Put))
}

func TestPurge(t *testing.T) {
	purge := func(region string) string { return "/v1/purge/s3/" + region + "/" + url.QueryEscape(source) }
	for name, tc := range map[string]struct {
		target, authorization string
		status, cancelled     int
	}{
		"one region":          {purge("us-west-2"), "Bearer " + token, 204, 1},
		"all regions":         {purge("all"), "Bearer " + token, 204, 2},
		"another region":      {purge("us-east-1"), "bearer " + token, 204, 1},
		"no token":            {purge("us-west-2"), "", 401, 0},
		"wrong token":         {purge("us-west-2"), "Bearer nope", 401, 0},
		"another scheme":      {purge("us-west-2"), "Basic " + token, 401, 0},
		"no token, no region": {purge("mars-1"), "", 401, 0},
		"region unknown":      {purge("mars-1"), "Bearer " + token, 404, 0},
		"not encoded":         {"/v1/purge/s3/us-west-2/https://example.com/x", "Bearer " + token, 400, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.store(t, "0")
			h.put(t, cachetest.Rules().Present(time.Now(), time.Time{}))
			a := h.ask(t, "DELETE", tc.target, "Authorization", tc.authorization)
			require.Equal(t, tc.status, a.status, a.raw)
			require.Equal(t, tc.cancelled, h.queue.requests(queue.Purge))
			gone := tc.status == 204 && !strings.Contains(tc.target, "us-east-1")
			_, stored := h.bucket.Body(object().Key())
			require.Equal(t, gone, !stored)
			e, err := h.cache.Get(t.Context(), key())
			require.NoError(t, err)
			require.Equal(t, gone, e.State == cache.Absent)
		})
	}
	t.Run("no token is configured", func(t *testing.T) {
		h := newHouse(t, func(o *frontend.Options) { o.PurgeToken = "" })
		require.Equal(t, 401, h.ask(t, "DELETE", purge("all"), "Authorization", "Bearer ").status)
	})
	for name, fail := range map[string]func(*house){
		"redis is down": func(h *house) { h.cache.Fail(errors.New("down")) },
		"SQS is down":   func(h *house) { h.queue.err = errors.New("down") },
		"S3 is down":    func(h *house) { h.bucket.Err = errors.New("down") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			fail(h)
			a := h.ask(t, "DELETE", purge("us-west-2"), "Authorization", "Bearer "+token)
			require.Equal(t, 503, a.status)
			require.NotEmpty(t, a.header.Get("Retry-After"))
		})
	}
}

func TestPurgeAllGoesOnAfterAFailure(t *testing.T) {
	h := newHouse(t)
	h.bucket.Err = errors.New("down") // the first of the two
	other := storage.Object{Service: "s3", Region: "us-east-1", URL: source}
	_, err := h.other.Upload(t.Context(), storage.UploadInput{Key: other.Key(), Body: strings.NewReader("x"), Size: 1})
	require.NoError(t, err)
	a := h.ask(t, "DELETE", "/v1/purge/s3/all/"+url.QueryEscape(source), "Authorization", "Bearer "+token)
	require.Equal(t, 503, a.status)
	_, stored := h.other.Body(other.Key())
	require.False(t, stored)
}

func TestCopyThatLandsInTheMiddleOfAPurgeIsForgotten(t *testing.T) {
	h := newHouse(t)
	h.bucket.OnDelete = func() {
		// Begun after the purge began, and done before it deletes.
		generation, err := h.cache.Generation(t.Context(), key())
		require.NoError(t, err)
		require.NoError(t, h.cache.Put(t.Context(), key(), generation, cachetest.Rules().Present(time.Now(), time.Time{})))
	}
	a := h.ask(t, "DELETE", "/v1/purge/s3/us-west-2/"+url.QueryEscape(source), "Authorization", "Bearer "+token)
	require.Equal(t, 204, a.status)
	e, err := h.cache.Get(t.Context(), key())
	require.NoError(t, err)
	require.Equal(t, cache.Absent, e.State, "clients are sent to what was deleted")
}

// leave asks and leaves at once.
func (h *house) leave(t *testing.T, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, method, target, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

func TestClientThatLeaves(t *testing.T) {
	h := newHouse(t, func(o *frontend.Options) { o.MaxWait = time.Minute })
	w := h.leave(t, "GET", path(""))
	require.Equal(t, 302, w.Code, "a client that only closed its side gets nothing")
	require.Equal(t, source, w.Header().Get("Location"))
	// What it began is finished, and nothing waits on.
	require.Eventually(t, func() bool { return h.queue.requests(queue.Put) == 1 }, 5*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return h.cache.Waiting(key()) == 0 }, 5*time.Second, time.Millisecond)
}

func TestPurgeIsFinishedWithoutItsClient(t *testing.T) {
	h := newHouse(t)
	h.store(t, "0")
	require.Equal(t, 204, h.leave(t, "DELETE", "/v1/purge/s3/us-west-2/"+url.QueryEscape(source)).Code)
	_, stored := h.bucket.Body(object().Key())
	require.False(t, stored)
}
