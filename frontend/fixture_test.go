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
// of requests, and refuses a query that is not sealed. It keeps the ids of requests apart.
type queueDouble struct {
	sealer *seal.Sealer
	mu     sync.Mutex
	err    error
	sent   []queue.Request
	ids    []string
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
	q.ids, r.RequestID = append(q.ids, r.RequestID), ""
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
