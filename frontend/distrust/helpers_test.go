package distrust_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	bearer "github.com/cloud-mirror/cloud-mirror/frontend/token"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

const token = "s3cret-0123456789-0123456789-0123"

// deployment names a deployment, and its only bucket.
type deployment struct{ prefix, endpoint, bucket string }

// bucketDouble has locations that name the bucket.
type bucketDouble struct {
	*storagetest.Memory
	host string
}

func (b bucketDouble) Location(_ context.Context, _, key string, _ time.Time) (storage.Location, error) {
	return storage.Location{URL: "https://" + b.host + "/" + key}, nil
}

// queueDouble accepts all messages.
type queueDouble struct {
	mu   sync.Mutex
	sent int
}

func (q *queueDouble) Send(context.Context, queue.Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent++
	return nil
}

func (q *queueDouble) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent
}

// fixture is a front end on the real redis, with doubles of everything else.
type fixture struct {
	handler     *frontend.Server
	cache       *cache.Redis
	redis       *redis.Client
	space       cache.Space
	bucket      bucketDouble
	queue       *queueDouble
	undecodable *atomic.Int64
	breaker     *atomic.Int64 // How often it opened.
}

func newFixture(t *testing.T, d deployment) *fixture {
	t.Helper()
	address := os.Getenv("CM_TEST_REDIS_URL")
	require.NotEmpty(t, address, "this test needs a real redis: run `make test`, or set CM_TEST_REDIS_URL")
	f := &fixture{
		bucket: bucketDouble{&storagetest.Memory{}, d.bucket + ".example"}, queue: &queueDouble{},
		space:       cache.NewSpace(d.prefix, "s3_us-west-2", d.endpoint, d.bucket),
		undecodable: new(atomic.Int64), breaker: new(atomic.Int64),
	}
	opt, err := redis.ParseURL(address)
	require.NoError(t, err)
	f.redis = redis.NewClient(opt)
	t.Cleanup(func() { _ = f.redis.Close() })
	f.cache, err = cache.Open(address, cache.Options{
		Prefix: d.prefix, Rules: cachetest.Rules(), Timeout: 5 * time.Second,
		Undecodable: func() { f.undecodable.Add(1) },
		OnBreaker: func(open bool) {
			if open {
				f.breaker.Add(1)
			}
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.cache.Close() })
	// It holds nothing until Run, so each request reads redis.
	near := cache.NewNearCache(f.cache, cache.NearCacheOptions{Entries: 100, Bytes: 1 << 20})
	log, registry := zerolog.Nop(), prometheus.NewRegistry()
	sealer, err := seal.New([]string{base64.StdEncoding.EncodeToString(make([]byte, seal.KeySize))})
	require.NoError(t, err)
	f.handler = frontend.New(frontend.Options{
		Flights: flight.NewGroup(flight.Options{
			Pools: []*flight.Pool{{
				Pool: storage.Pool{Service: "s3", Region: "us-west-2", Bucket: d.bucket, Endpoint: d.endpoint}, Bucket: f.bucket, Space: f.space,
			}},
			Cache: near, Watcher: cache.NewWatcher(func(bool) {}), Queue: f.queue, Sealer: sealer, Rules: cachetest.Rules(),
			MaxWaiters: 1000, MaxWaitersPerObject: 1000, MaxWaitersPerClient: 1000,
			Breakers: flight.NewBreakers(registry, log), Log: log, Registry: registry, Owner: "test",
		}),
		Entries: near, Admit: func(url string) (string, error) { return url, nil },
		MaxWait: time.Second, MaxWaitLimit: time.Minute, Tokens: guard(t),
		CacheEntries: 100, CacheMemory: 1 << 20, Log: log, Registry: registry,
	})
	return f
}

// guard returns a guard that knows the token, with the scopes purge, copies and status.
func guard(t *testing.T) *bearer.Guard {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(path, []byte("test purge,copies,status "+token), 0o600))
	file, err := bearer.Open(bearer.FileOptions{Path: path, Log: zerolog.Nop(), Registry: prometheus.NewRegistry()})
	require.NoError(t, err)
	return bearer.NewGuard(bearer.Options{File: file, Log: zerolog.Nop(), Registry: prometheus.NewRegistry()})
}

func (f *fixture) ask(t *testing.T, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	if !strings.HasPrefix(target, "/v1/status/") {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return f.serve(r)
}

// details requests a status with a token that has the scope status.
func (f *fixture) details(t *testing.T, source string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/status/s3/us-west-2/"+url.QueryEscape(source), http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	return f.serve(r)
}

func (f *fixture) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// redirect requests a copy without a wait.
func (f *fixture) redirect(t *testing.T, source string) *httptest.ResponseRecorder {
	t.Helper()
	return f.ask(t, http.MethodGet, "/v1/redirect/s3/us-west-2/"+url.QueryEscape(source)+"?max_wait=0", "")
}

func object(source string) storage.Object {
	return storage.Object{Service: "s3", Region: "us-west-2", URL: source}
}

func (f *fixture) key(source string) string { return f.space.Key(object(source).Hash()) }

// location is the location of the object's copy.
func (f *fixture) location(source string) string {
	return "https://" + f.bucket.host + "/" + object(source).Key()
}

// store stores a copy in the bucket.
func (f *fixture) store(t *testing.T, source string) {
	t.Helper()
	_, err := f.bucket.Put(t.Context(), storage.ObjectSpec{Key: object(source).Key()}, f.bucket.Checksum().Body([]byte("x")))
	require.NoError(t, err)
}

// has reports whether a location is a copy in the bucket: a GET of any other location there is 404.
func (f *fixture) has(t *testing.T, location string) bool {
	t.Helper()
	key, ok := strings.CutPrefix(location, "https://"+f.bucket.host+"/")
	_, err := f.bucket.Head(t.Context(), key)
	return ok && err == nil
}
