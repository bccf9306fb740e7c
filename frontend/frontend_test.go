package frontend_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
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
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	bearer "github.com/cloud-mirror/cloud-mirror/frontend/token"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

const (
	source = "https://example.com/a/b.zip?sig=secret"
	token  = "s3cret-0123456789-0123456789-0123"
)

// otherToken has a scope that no route needs.
const otherToken = "other-0123456789-0123456789-0123"

// newGuard returns a guard with the lines of a file of tokens.
func newGuard(t testing.TB, log zerolog.Logger, registry *prometheus.Registry, lines ...string) *bearer.Guard {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	file, err := bearer.Open(bearer.FileOptions{Path: path, Log: log, Registry: registry})
	require.NoError(t, err)
	return bearer.NewGuard(bearer.Options{File: file, Log: log, Registry: registry})
}

// queueDouble stands in for SQS and, if copy is set, for everything behind it. It opens the queries
// of requests, and refuses a query that is not sealed.
type queueDouble struct {
	sealer *seal.Sealer
	mu     sync.Mutex
	err    error
	sent   []queue.Request
	copy   func(queue.Request)
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
	if strings.Contains(r.URL, "?") {
		return errors.New("the query is not sealed")
	}
	if r.SealedQuery != "" {
		_, region, _ := strings.Cut(r.Pool, "_")
		o, err := q.sealer.Open(seal.Object{Service: "s3", Region: region, URL: r.URL, Query: r.SealedQuery, Hash: r.Hash})
		if err != nil {
			return err
		}
		r.URL, r.SealedQuery, r.Hash = o.URL, "", ""
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

// fixture is a front end with doubles around it.
type fixture struct {
	handler *frontend.Server
	metrics *prometheus.Registry
	flights *flight.Group
	cache   *cachetest.Memory
	queue   *queueDouble
	bucket  *storagetest.Memory // of us-west-2
	other   *storagetest.Memory // of us-east-1
}

// options configures a fixture.
type options struct {
	frontend.Options
	flight flight.Options
}

// share makes the fixture use the redis of another.
func (o *options) share(f *fixture) {
	o.Entries, o.flight.Cache, o.flight.Watcher = f.cache, f.cache, f.cache
}

func newFixture(t testing.TB, edit ...func(*options)) *fixture {
	t.Helper()
	sources, err := origin.New(origin.Config{Allowed: []string{"https://example.com/"}, EnsureSSL: true})
	require.NoError(t, err)
	sealer, err := seal.New([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	require.NoError(t, err)
	f := &fixture{
		cache: &cachetest.Memory{}, queue: &queueDouble{sealer: sealer},
		bucket: &storagetest.Memory{}, other: &storagetest.Memory{},
	}
	log, registry := zerolog.New(zerolog.NewTestWriter(t)), prometheus.NewRegistry()
	o := options{
		Options: frontend.Options{
			Entries: f.cache, Admit: sources.Admit,
			MaxWait: 200 * time.Millisecond, MaxWaitLimit: time.Minute, Tokens: newGuard(t, log, registry,
				"all purge,copies,status,codec "+token, "other codec "+otherToken),
			CacheEntries: 100, CacheMemory: 1 << 20, Log: log, Registry: registry,
		},
		flight: flight.Options{
			Pools: []*flight.Pool{
				{Pool: storage.Pool{Service: "s3", Region: "us-west-2"}, Bucket: f.bucket, Space: spaceOf("s3_us-west-2")},
				{Pool: storage.Pool{Service: "s3", Region: "us-east-1"}, Bucket: f.other, Space: spaceOf("s3_us-east-1")},
			},
			Cache: f.cache, Watcher: f.cache, Queue: f.queue, Sealer: sealer, Rules: cachetest.Rules(),
			MaxWaiters: 1000, MaxWaitersPerObject: 1000, MaxWaitersPerClient: 1000,
			Breakers: flight.NewBreakers(registry, log), Log: log, Registry: registry, Owner: "test",
		},
	}
	for _, e := range edit {
		e(&o)
	}
	o.Flights = flight.NewGroup(o.flight)
	f.flights = o.Flights
	f.handler, f.metrics = frontend.New(o.Options), o.Registry
	return f
}

func object() storage.Object { return objectOf(source) }

func objectOf(url string) storage.Object {
	return storage.Object{Service: "s3", Region: "us-west-2", URL: url}
}

func key() string { return cacheKey(source) }

func cacheKey(url string) string {
	o := objectOf(url)
	return spaceOf(o.PoolID()).Key(o.Hash())
}

// spaceOf is the key space of a pool's bucket in the fixture.
func spaceOf(pool string) cache.Space { return cache.NewSpace(cache.DefaultPrefix, pool, "", "bucket") }

func (f *fixture) put(t testing.TB, e cache.Entry) {
	t.Helper()
	require.NoError(t, f.cache.Put(t.Context(), key(), cache.AnyGeneration, e))
}

func (f *fixture) store(t *testing.T, generation string) {
	t.Helper()
	_, err := f.bucket.Put(t.Context(), storage.ObjectSpec{
		Key: object().Key(), Metadata: map[string]string{storage.MetadataGeneration: generation},
	}, f.bucket.Checksum().Body([]byte("x")))
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

func (f *fixture) ask(t testing.TB, method, target string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Result().Body)
	require.NoError(t, err)
	a := answer{status: w.Code, location: w.Header().Get("Location"), header: w.Header(), raw: string(raw)}
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &a.body), a.raw)
	}
	return a
}

// path returns the redirect path of the source with a suffix, such as a query.
func path(suffix string) string {
	return "/v1/redirect/s3/us-west-2/" + url.QueryEscape(source) + suffix
}

func copyURL(method string) string {
	return "https://bucket.example/" + object().Key() + "?method=" + method
}

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
		mirrorPath, mirrorPath + "2", mirrorRoute + "s3/us-west-2/example.com/index", mirrorRoute + "s3/mars-1/example.com/index",
	} {
		seen = append(seen, f.ask(t, "GET", target).header.Get("Cache-Status"))
	}
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
