package frontend_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// mirroring configures upstreams that are in the fixture's policy for sources.
func mirroring(o *options) {
	set, err := upstream.New([]upstream.Options{
		{URL: "https://example.com", Copy: []string{"^/files/", "oci"}, MinSize: 1000},
		{Name: "below", URL: "https://example.com/below", Copy: []string{"^/"}},
		{URL: "https://forbidden.example", Copy: []string{"^/"}}, // Not in the policy.
	})
	if err != nil {
		panic(err)
	}
	o.Upstreams, o.MirrorWait = set, 100*time.Millisecond
}

const (
	mirrored    = "https://example.com/files/a.zip"
	mirrorRoute = "/v1/mirror/"
	mirrorPath  = "/v1/mirror/s3/us-west-2/example.com/files/a.zip"
)

// copied stores a copy of the mirrored object and its entry.
func (f *fixture) copied(t testing.TB, url string) {
	t.Helper()
	o := storage.Object{Service: "s3", Region: "us-west-2", URL: url}
	body := make([]byte, 5000)
	require.NoError(t, f.bucket.Delete(t.Context(), o.Key()))
	_, err := f.bucket.Put(t.Context(), storage.ObjectSpec{
		Key: o.Key(), ContentType: "application/zip", ContentDisposition: `attachment; filename="a.zip"`,
	}, f.bucket.Checksum().Body(body))
	require.NoError(t, err)
	e := cachetest.Rules().Present(time.Now(), cache.Copy{Size: int64(len(body))})
	require.NoError(t, f.cache.Put(t.Context(), cacheKey(url), cache.AnyGeneration, e))
}

// copyOf returns the URL to which a GET of an object's copy is redirected.
func copyOf(url string) string {
	o := storage.Object{Service: "s3", Region: "us-west-2", URL: url}
	return "https://bucket.example/" + o.Key() + "?method=GET"
}

func TestMirror(t *testing.T) {
	const hit, miss, bypass = "cloud-mirror; hit", "cloud-mirror; fwd=miss", "cloud-mirror; fwd=bypass"
	const noRegion = bypass + `; detail="unknown service or region"`
	failed := func(r cache.Reason) func(*testing.T, *fixture) {
		return func(t *testing.T, f *fixture) {
			e := cachetest.Rules().Failed(time.Now(), r)
			require.NoError(t, f.cache.Put(t.Context(), cacheKey(mirrored), cache.AnyGeneration, e))
		}
	}
	present := func(t *testing.T, f *fixture) { f.copied(t, mirrored) }
	small := func(size int64) func(*testing.T, *fixture) {
		return func(t *testing.T, f *fixture) {
			e := cachetest.Rules().TooSmall(time.Now(), size)
			require.NoError(t, f.cache.Put(t.Context(), cacheKey(mirrored), cache.AnyGeneration, e))
		}
	}
	arrives := func(_ *testing.T, f *fixture) {
		f.queue.copy = func(r queue.Request) {
			e := cachetest.Rules().Present(time.Now(), cache.Copy{Size: 5000})
			_ = f.cache.Put(context.Background(), cacheKey(r.URL), 0, e)
		}
	}
	noQueue := func(_ *testing.T, f *fixture) { f.queue.err = errors.New("down") }
	const west = "/v1/mirror/s3/us-west-2/"
	for name, tc := range map[string]struct {
		method, target string
		given          func(*testing.T, *fixture)
		status         int
		location       string
		cacheStatus    string
		requests       int // For copies.
	}{
		"a copy":                         {"GET", mirrorPath, present, 302, copyOf(mirrored), hit, 0},
		"a copy, as an absolute URL":     {"GET", west + "https://example.com/files/a.zip", present, 302, copyOf(mirrored), hit, 0},
		"a copy, with slashes merged":    {"GET", west + "https:/example.com/files/a.zip", present, 302, copyOf(mirrored), hit, 0},
		"a copy that arrives":            {"GET", mirrorPath, arrives, 302, copyOf(mirrored), miss, 1},
		"a copy that is late":            {"GET", mirrorPath, nil, 302, mirrored, miss, 1},
		"HEAD of a late copy":            {"HEAD", mirrorPath, nil, 302, mirrored, miss, 1},
		"no copy can be requested":       {"GET", mirrorPath, noQueue, 302, mirrored, miss, 0},
		"the source's 404":               {"GET", mirrorPath, failed(cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true}), 302, mirrored, miss, 0},
		"the source's 403":               {"GET", mirrorPath, failed(cache.Reason{Class: "BadHTTPStatus", Status: 403}), 302, mirrored, miss, 0},
		"a hop that is not allowed":      {"GET", mirrorPath, failed(cache.Reason{Class: "InvalidUrl"}), 302, mirrored, miss, 0},
		"too small":                      {"GET", mirrorPath, small(999), 302, mirrored, miss + `; detail="too small"`, 0},
		"large enough since":             {"GET", mirrorPath, small(1000), 302, mirrored, miss, 1},
		"a mutable path":                 {"GET", west + "example.com/index", nil, 302, "https://example.com/index", bypass, 0},
		"HEAD of a mutable path":         {"HEAD", west + "example.com/index", nil, 302, "https://example.com/index", bypass, 0},
		"the root":                       {"GET", west + "example.com/", nil, 302, "https://example.com/", bypass, 0},
		"a query of the source's":        {"GET", west + "example.com/index?max_wait=junk&a=%2f%2F&&b", nil, 302, "https://example.com/index?max_wait=junk&a=%2f%2F&&b", bypass, 0},
		"a signed query":                 {"GET", mirrorPath + "?X-Amz-Signature=s", present, 302, mirrored + "?X-Amz-Signature=s", bypass, 0},
		"a URL beyond the limit":         {"GET", mirrorPath + long, nil, 302, mirrored + long, bypass, 0},
		"a source outside of the policy": {"GET", west + "forbidden.example/a", nil, 302, "https://forbidden.example/a", bypass, 0},
		"dot segments":                   {"GET", west + "example.com/files/../index", nil, 302, "https://example.com/files/../index", bypass, 0},
		"dot segments below a path":      {"GET", west + "below/../a", nil, 400, "", "", 0},
		"an unknown upstream":            {"GET", west + "other.example/files/a.zip", nil, 404, "", "", 0},
		"no upstream":                    {"GET", west, nil, 404, "", "", 0},
		"an unknown region":              {"GET", "/v1/mirror/s3/nowhere/example.com/files/a.zip", nil, 302, mirrored, noRegion, 0},
		"an unknown region, mutable":     {"GET", "/v1/mirror/s3/nowhere/example.com/index", nil, 302, "https://example.com/index", noRegion, 0},
		"an unknown service":             {"GET", "/v1/mirror/gcs/us-west-2/example.com/files/a.zip", nil, 302, mirrored, noRegion, 0},
		"an unknown region and upstream": {"GET", "/v1/mirror/s3/nowhere/other.example/files/a.zip", nil, 404, "", "", 0},
		"a copy, through a proxy":        {"GET", "http://mirror.example" + mirrorPath, present, 302, copyOf(mirrored), hit, 0},
		"a mutable path, by a proxy":     {"GET", "http://mirror.example" + west + "example.com/index?a=://b", nil, 302, "https://example.com/index?a=://b", bypass, 0},
		"an encoded region":              {"GET", "/v1/mirror/s3/us%2Dwest-2/example.com/files/a.zip", present, 302, mirrored, noRegion, 0},
		"no region":                      {"GET", "/v1/mirror/s3//example.com/files/a.zip", present, 302, mirrored, noRegion, 0},
		"service and region twice":       {"GET", west + "s3/us-west-2/example.com/files/a.zip", present, 404, "", "", 0},
		"a slash before the service":     {"GET", "/v1/mirror//s3/us-west-2/example.com/files/a.zip", present, 404, "", "", 0},
		"the route in another":           {"GET", "/v1/redirect/s3/us-west-2" + mirrorPath, present, 400, "", "", 0},
		"the route in its query":         {"GET", "/v1/nothing?" + mirrorPath, present, 404, "", "", 0},
		"an encoded route, in bad bytes": {"GET", "/v1%2Fmirror/s3/us-west-2/v1/mirror/a/b/example.com/files/\"", present, 404, "", "", 0},
		"another method":                 {"POST", mirrorPath, present, 405, "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, mirroring)
			if tc.given != nil {
				tc.given(t, f)
			}
			for i := range 2 { // The second request may be served from memory.
				a := f.ask(t, tc.method, tc.target)
				require.Equal(t, tc.status, a.status, a.raw)
				require.Equal(t, tc.location, a.location)
				if i == 0 {
					require.Equal(t, tc.cacheStatus, a.header.Get("Cache-Status"))
				}
				if tc.status == 302 {
					require.Equal(t, "no-store", a.header.Get("Cache-Control"))
				}
			}
			require.Equal(t, tc.requests, f.queue.requests(queue.Put))
			if tc.status == http.StatusMethodNotAllowed {
				require.Equal(t, "GET, HEAD, OPTIONS", f.ask(t, tc.method, tc.target).header.Get("Allow"))
			}
		})
	}
}

// long makes a URL longer than sources may have.
var long = "?" + string(make9k())

func make9k() []byte {
	b := make([]byte, 9<<10)
	for i := range b {
		b[i] = 'a'
	}
	return b
}

// One object has one copy, whichever route its clients use. A minimum holds only on the mirror
// route.
func TestMirrorSharesCopiesWithTheRedirect(t *testing.T) {
	f := newFixture(t, mirroring)
	f.copied(t, mirrored)
	redirect := "/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Ffiles%2Fa.zip"
	require.Equal(t, copyOf(mirrored), f.ask(t, "GET", mirrorPath).location)
	require.Equal(t, copyOf(mirrored), f.ask(t, "GET", redirect).location)
	require.Equal(t, 204, f.ask(t, "DELETE", "/v1/purge/s3/us-west-2/https%3A%2F%2Fexample.com%2Ffiles%2Fa.zip", "Authorization", "Bearer "+token).status)
	require.Equal(t, mirrored, f.ask(t, "GET", mirrorPath).location)
	require.EqualValues(t, 1000, f.queue.sent[len(f.queue.sent)-1].MinSize)
	require.Equal(t, mirrored, f.ask(t, "GET", redirect).location)
}

// Queries are a part of the object on this route, and never the front end's.
func TestMirrorKeepsQueriesApart(t *testing.T) {
	f := newFixture(t, mirroring)
	f.copied(t, mirrored+"?v=1")
	for range 2 {
		require.Equal(t, copyOf(mirrored+"?v=1"), f.ask(t, "GET", mirrorPath+"?v=1").location)
		require.Equal(t, mirrored+"?v=2", f.ask(t, "GET", mirrorPath+"?v=2").location)
		require.Equal(t, mirrored, f.ask(t, "GET", mirrorPath).location)
		require.Equal(t, mirrored+"?", f.ask(t, "GET", mirrorPath+"?").location)
		require.Equal(t, mirrored+"?max_wait=0&sha256=x", f.ask(t, "GET", mirrorPath+"?max_wait=0&sha256=x").location)
	}
}

// countedHeads counts the HEADs of a bucket.
type countedHeads struct {
	*storagetest.Memory
	heads atomic.Int64
	err   atomic.Pointer[error]
}

func (b *countedHeads) Head(ctx context.Context, key string) (storage.Stored, error) {
	b.heads.Add(1)
	if err := b.err.Load(); err != nil {
		return storage.Stored{}, *err
	}
	return b.Memory.Head(ctx, key)
}

func TestMirrorHead(t *testing.T) {
	bucket := &countedHeads{}
	f := newFixture(t, mirroring, func(o *options) {
		bucket.Memory = o.flight.Pools[0].Bucket.(*storagetest.Memory)
		o.flight.Pools[0].Bucket = bucket
	})
	f.copied(t, mirrored)
	for range 5 {
		a := f.ask(t, "HEAD", mirrorPath)
		require.Equal(t, 200, a.status)
		require.Empty(t, a.location)
		require.Equal(t, "5000", a.header.Get("Content-Length"))
		require.Equal(t, "application/zip", a.header.Get("Content-Type"))
		require.Equal(t, `attachment; filename="a.zip"`, a.header.Get("Content-Disposition"))
		require.Equal(t, "bytes", a.header.Get("Accept-Ranges"))
		require.NotEmpty(t, a.header.Get("ETag"))
		modified, err := http.ParseTime(a.header.Get("Last-Modified"))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), modified, time.Minute)
		require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
		require.Equal(t, copyOf(mirrored), f.ask(t, "GET", mirrorPath).location)
	}
	require.EqualValues(t, 1, bucket.heads.Load(), "HEADs of the bucket")

	f.copied(t, mirrored) // Another entry.
	require.Equal(t, 200, f.ask(t, "HEAD", mirrorPath).status)
	require.EqualValues(t, 2, bucket.heads.Load())

	down := errors.New("down")
	bucket.err.Store(&down)
	require.Equal(t, 200, f.ask(t, "HEAD", mirrorPath).status, "from memory")
	f.copied(t, mirrored)
	a := f.ask(t, "HEAD", mirrorPath)
	require.Equal(t, 302, a.status)
	require.Equal(t, mirrored, a.location)
	require.Equal(t, copyOf(mirrored), f.ask(t, "GET", mirrorPath).location, "control: a GET needs no HEAD")
	require.Equal(t, 302, f.ask(t, "HEAD", "/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Ffiles%2Fa.zip").status)
}

// What other routes refuse is redirected to the source.
func TestMirrorRefusesNobody(t *testing.T) {
	f := newFixture(t, mirroring, fromHeader, frozen, func(o *options) {
		o.AtLimit, o.LoopID = frontend.AtLimitRefuse, "loop"
		o.flight.ColdRate, o.flight.ColdBurst = 1, 1
	})
	ask := func(target string, header ...string) answer {
		return f.ask(t, "GET", target, append(header, "From", alice)...)
	}
	require.Equal(t, mirrored, ask(mirrorPath, "Prefer", "wait=0").location)
	a := ask(mirrorPath + "2")
	require.Equal(t, mirrored+"2", a.location)
	require.Equal(t, map[string]float64{"client": 1}, f.limited(t))
	require.Equal(t, 429, ask(path("")).status, "control: the redirect refuses at this limit")

	require.Equal(t, mirrored+"3", ask(mirrorPath+"3", "Cdn-Loop", "loop").location)
	require.Equal(t, 508, ask(path(""), "Cdn-Loop", "loop").status, "control")

	for _, tc := range []struct {
		method, target string
		status         int
		location       string
	}{
		{"GET", mirrorPath, 302, mirrored},
		{"HEAD", mirrorPath, 302, mirrored},
		{"POST", mirrorPath, 405, ""},
		{"GET", "/v1/mirror/s3/us-west-2/other.example/a", 404, ""},
		{"GET", path(""), 400, ""}, // Control: another route.
	} {
		r := httptest.NewRequest(tc.method, tc.target, http.NoBody)
		r.ContentLength = 1
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		require.Equal(t, tc.status, w.Code, "%s %s with a body", tc.method, tc.target)
		require.Equal(t, tc.location, w.Header().Get("Location"))
		require.Equal(t, "close", w.Header().Get("Connection"))
		require.Equal(t, tc.status == 405, w.Header().Get("Allow") == "GET, HEAD, OPTIONS")
	}
}

// A body or a loop changes no refusal. Package managers POST to their registry.
func TestMirrorRefusesWithABodyAsWithoutOne(t *testing.T) {
	const west = "/v1/mirror/s3/us-west-2/"
	for name, tc := range map[string]struct {
		method, target string
		status         int
	}{
		"another method":        {"POST", mirrorPath, 405},
		"another method, PUT":   {"PUT", west + "example.com/index", 405},
		"DELETE":                {"DELETE", mirrorPath, 405},
		"an unknown upstream":   {"GET", west + "other.example/a", 404},
		"a path out of a root":  {"GET", west + "below/../a", 400},
		"control: a redirect":   {"GET", mirrorPath, 302},
		"control: no such path": {"POST", "/v1/mirror", 404},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, mirroring, func(o *options) { o.LoopID = "loop" })
			for kind, edit := range map[string]func(*http.Request){
				"plain":  func(*http.Request) {},
				"a body": func(r *http.Request) { r.ContentLength = 1 },
				"chunks": func(r *http.Request) { r.ContentLength = -1 },
				"a loop": func(r *http.Request) { r.Header.Set("Cdn-Loop", "loop") },
			} {
				if kind != "plain" && !strings.HasPrefix(tc.target, mirrorRoute) {
					continue
				}
				r := httptest.NewRequest(tc.method, tc.target, http.NoBody)
				edit(r)
				w := httptest.NewRecorder()
				f.handler.ServeHTTP(w, r)
				require.Equal(t, tc.status, w.Code, kind)
				require.Equal(t, tc.status == 405, w.Header().Get("Allow") == "GET, HEAD, OPTIONS", kind)
				require.Equal(t, r.ContentLength != 0, w.Header().Get("Connection") == "close", kind)
			}
		})
	}
}

// The text tells a client why it is redirected to the source.
func TestMirrorSaysWhyItRedirectsToTheSource(t *testing.T) {
	for want, reason := range map[string]cache.Reason{
		"Object could not be copied: BadHTTPStatus 404": {Class: "BadHTTPStatus", Status: 404, AboutObject: true},
		"Object could not be copied: BadHTTPStatus 403": {Class: "BadHTTPStatus", Status: 403},
		"Object could not be copied: InvalidUrl":        {Class: "InvalidUrl"},
		"Object could not be copied: SourceTruncated":   {Class: "SourceTruncated"},
	} {
		f := newFixture(t, mirroring)
		e := cachetest.Rules().Failed(time.Now(), reason)
		require.NoError(t, f.cache.Put(t.Context(), cacheKey(mirrored), cache.AnyGeneration, e))
		require.Equal(t, map[string]any{"url": mirrored, "msg": want}, f.ask(t, "GET", mirrorPath).body)
	}
}

func TestMirrorWait(t *testing.T) {
	f := newFixture(t, mirroring, func(o *options) { o.MirrorWait = time.Minute })
	start := time.Now()
	a := f.ask(t, "GET", mirrorPath, "Prefer", "wait=0")
	require.Equal(t, mirrored, a.location)
	require.Equal(t, "wait=0", a.header.Get("Preference-Applied"))
	require.Less(t, time.Since(start), 30*time.Second)
	require.Equal(t, 1, f.queue.requests(queue.Put))
}

// A client of the mirror route is never redirected back to the front end.
func TestMirrorHasNoChain(t *testing.T) {
	f := newFixture(t, mirroring, func(o *options) { o.Chain = 10 * time.Millisecond })
	for range 2 {
		require.Equal(t, mirrored, f.ask(t, "GET", mirrorPath).location)
		require.Contains(t, f.ask(t, "GET", path("")).location, "max_wait=", "control: the redirect chains")
	}
}

// A digest in the path is checked as ?sha256= is on the redirect route.
func TestMirrorDigest(t *testing.T) {
	const hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	object := "https://example.com/v2/library/x/blobs/sha256:" + hex
	target := "/v1/mirror/s3/us-west-2/example.com/v2/library/x/blobs/sha256:" + hex
	for name, tc := range map[string]struct{ have, location string }{
		"the same digest":   {hex, copyOf(object)},
		"another digest":    {"00" + hex[2:], object},
		"an unknown digest": {"", copyOf(object)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, mirroring)
			require.Equal(t, object, f.ask(t, "GET", target).location)
			require.Equal(t, hex, f.queue.sent[0].SHA256)
			e := cachetest.Rules().Present(time.Now(), cache.Copy{SHA256: tc.have})
			require.NoError(t, f.cache.Put(t.Context(), cacheKey(object), cache.AnyGeneration, e))
			for range 2 {
				require.Equal(t, tc.location, f.ask(t, "GET", target).location)
			}
		})
	}
}

func TestMirrorAuto(t *testing.T) {
	region, ok := "us-west-2", true
	f := newFixture(t, mirroring, func(o *options) {
		o.RegionOf = func(*http.Request) (string, bool) { return region, ok }
	})
	f.copied(t, mirrored)
	const auto = "/v1/mirror/s3/auto/example.com/files/a.zip"
	for range 2 {
		a := f.ask(t, "GET", auto)
		require.Equal(t, copyOf(mirrored), a.location)
		require.Equal(t, "us-west-2", a.header.Get("Cloud-Mirror-Region"))
	}
	region = "us-east-1"
	require.Equal(t, mirrored, f.ask(t, "GET", auto).location, "another region has no copy")
	ok = false
	require.Equal(t, mirrored, f.ask(t, "GET", auto).location, "the client's region is unknown")
	require.Equal(t, "https://example.com/index", f.ask(t, "GET", "/v1/mirror/s3/auto/example.com/index").location)
}

func TestMirrorHitAllocatesNothing(t *testing.T) {
	for _, target := range []string{mirrorPath, mirrorPath + "?v=1"} {
		f := newFixture(t, mirroring, func(o *options) {
			o.Log = zerolog.Nop()
			o.Entries = remembering{entry: cachetest.Rules().Present(time.Now(), cache.Copy{Size: 5000})}
		})
		r := onConnection(httptest.NewRequest(http.MethodGet, target, nil))
		w := discard{http.Header{}}
		f.handler.ServeHTTP(w, r)
		require.Contains(t, w.header.Get("Location"), "https://bucket.example/")
		require.Zero(t, testing.AllocsPerRun(100, func() { f.handler.ServeHTTP(w, r) }))
	}
}

// A client's credentials stay with the client.
func TestMirrorKeepsNoCredentials(t *testing.T) {
	var logs bytes.Buffer
	f := newFixture(t, mirroring, func(o *options) { o.Log = zerolog.New(&logs) })
	const secret = "s3cr3t"
	for _, query := range []string{"", "?sig=" + secret, "?X-Amz-Signature=" + secret, "?Signature=" + secret, "?token=" + secret} {
		a := f.ask(t, "GET", mirrorPath+query, "Authorization", "Bearer "+secret, "Cookie", "session="+secret)
		require.Equal(t, mirrored+query, a.location)
	}
	require.Len(t, f.queue.sent, 1, "control: the plain path is copied")
	message, err := queue.Encode(f.queue.sent[0])
	require.NoError(t, err)
	require.Contains(t, message, mirrored)
	require.NotContains(t, message, secret)
	require.NotContains(t, logs.String(), secret)
	f.copied(t, mirrored)
	require.Equal(t, copyOf(mirrored), f.ask(t, "GET", mirrorPath, "Authorization", "Bearer other").location, "one key")
}
