package copier_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

const (
	partSize = storage.MinPartSize
	inFlight = 3
)

// source serves one object, and counts the bytes of the bodies that it sends.
type source struct {
	*httptest.Server
	body []byte
	sent atomic.Int64 // Read it by sentBytes
	gets atomic.Int64
	busy sync.RWMutex // Held for reading by each request
	// If set, serve answers the nth GET (from 1) instead.
	serve func(w http.ResponseWriter, r *http.Request, n int64)
	// If set, header changes the headers of every response.
	header func(http.Header)
}

func newSource(t *testing.T, size int) *source {
	t.Helper()
	s := &source{body: make([]byte, size)}
	_, _ = rand.Read(s.body)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.busy.RLock()
		defer s.busy.RUnlock()
		w = &counting{ResponseWriter: w, n: &s.sent}
		if r.Method == http.MethodGet {
			if n := s.gets.Add(1); s.serve != nil {
				s.serve(w, r, n)
				return
			}
		}
		s.serveWhole(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// change calls f while no request is in flight. A request may outlive its client.
func (s *source) change(f func()) {
	s.busy.Lock()
	defer s.busy.Unlock()
	f()
}

// sentBytes returns the bytes sent so far, when no request is in flight. A write is counted after
// it returns. The client may have read its bytes before that, and finished the copy.
func (s *source) sentBytes() (n int64) {
	s.change(func() { n = s.sent.Load() })
	return n
}

// serveWhole answers like a good source, ranges included.
func (s *source) serveWhole(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"one"`)
	w.Header().Set("Content-Type", "application/x-test")
	if s.header != nil {
		s.header(w.Header())
	}
	if w.Header().Get("Accept-Ranges") == "none" {
		w.Header().Set("Content-Length", strconv.Itoa(len(s.body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(s.body)
		}
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.body))
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}

func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// fixture holds a copier between a source and a real third-party S3 server, behind a proxy that can
// fail. Some tests use a bucket in memory instead.
type fixture struct {
	*copier.Copier
	source *source
	memory *storagetest.Memory // Unset if there is a proxy
	proxy  *storagetest.Proxy
	pool   storage.Pool
	direct *s3.Client
	origin *origin.Client
	job    *copier.Job
	saved  atomic.Pointer[copier.State]
	states atomic.Int64
}

// onServers runs a test against each S3 server.
func onServers(t *testing.T, size int, test func(t *testing.T, r *fixture)) {
	t.Helper()
	endpoints, minio := os.Getenv("CM_TEST_S3_ENDPOINTS"), os.Getenv("CM_TEST_MINIO_ENDPOINT")
	require.NotEmpty(t, endpoints, "this test needs real S3 servers: run `make test`, or set CM_TEST_S3_ENDPOINTS")
	require.NotEmpty(t, minio, "this test needs real S3 servers: run `make test`, or set CM_TEST_MINIO_ENDPOINT")
	first, _, _ := strings.Cut(endpoints, ",")
	region, versity, _ := strings.Cut(first, "=")
	for name, endpoint := range map[string]string{"versitygw": versity, "minio": minio} {
		t.Run(name, func(t *testing.T) { test(t, newFixture(t, size, region, endpoint)) })
	}
}

// inMemory returns a fixture with a bucket in memory, which keeps the same contract. It is for
// tests of sources.
func inMemory(t *testing.T, size int) *fixture {
	t.Helper()
	r := &fixture{source: newSource(t, size), memory: &storagetest.Memory{}}
	r.init(t, r.memory)
	return r
}

func newFixture(t *testing.T, size int, region, endpoint string) *fixture {
	t.Helper()
	cfg, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRetryMaxAttempts(1))
	require.NoError(t, err)
	r := &fixture{
		source: newSource(t, size), proxy: storagetest.NewProxy(t, endpoint),
		pool: storage.Pool{Service: "s3", Region: region, Bucket: "copier", Endpoint: endpoint, PathStyle: true},
	}
	_, err = storage.Open(cfg, r.pool).Setup(t.Context(), false)
	require.NoError(t, err)
	r.direct = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Region, o.BaseEndpoint, o.UsePathStyle = region, aws.String(endpoint), true
	})
	r.pool.Endpoint = r.proxy.URL
	r.init(t, storage.Open(cfg, r.pool))
	return r
}

func (r *fixture) init(t *testing.T, b copier.Bucket) {
	t.Helper()
	var err error
	r.origin, err = origin.New(origin.Config{
		AllowedPatterns: []string{"http://"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	require.NoError(t, err)
	r.Copier = &copier.Copier{
		Source: r.origin, Bucket: b, SmallMemory: copier.NewMemory(64 << 20), Memory: copier.NewMemory(64 << 20),
		PartSize: partSize, Parts: inFlight, StallTimeout: 30 * time.Second, MinRate: 1, SpoolDir: t.TempDir(),
	}
	r.newJob(t)
}

// newJob describes the source by HEAD, like HeadSource.
func (r *fixture) newJob(t *testing.T) {
	t.Helper()
	meta, err := r.origin.Head(t.Context(), r.source.URL+"/object")
	require.NoError(t, err)
	key := strings.NewReplacer("/", "_", " ", "_", "#", "_").Replace(t.Name()) + "/" + strconv.FormatInt(time.Now().UnixNano(), 36)
	r.job = &copier.Job{
		URL: r.source.URL + "/object", Meta: meta,
		Spec: storage.ObjectSpec{
			Key: key, ContentType: meta.ContentType,
			Metadata: map[string]string{storage.MetadataCopyID: key},
		},
	}
}

// attempt runs the copy once more, like StreamCopy after an earlier attempt.
func (r *fixture) attempt(t *testing.T) (copier.Result, error) {
	t.Helper()
	next := &copier.Job{
		URL: r.job.URL, Meta: r.job.Meta, Spec: r.job.Spec, Expect: r.job.Expect, Server: r.job.Server,
		Checkpoint: func(s copier.State) {
			r.states.Add(1)
			r.saved.Store(&s)
		},
	}
	if s := r.saved.Load(); s != nil {
		next.Resume = *s
	}
	return r.Run(t.Context(), next)
}

// open counts the uploads under the key.
func (r *fixture) open(t *testing.T) int {
	t.Helper()
	uploads, err := r.Bucket.ListUploads(t.Context(), r.job.Spec.Key)
	require.NoError(t, err)
	return len(uploads)
}

// stored gets the object from the real server.
func (r *fixture) stored(t *testing.T) *s3.GetObjectOutput {
	t.Helper()
	out, err := r.direct.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &r.pool.Bucket, Key: &r.job.Spec.Key})
	require.NoError(t, err)
	return out
}

func (r *fixture) body(t *testing.T) []byte {
	t.Helper()
	if r.memory != nil {
		body, ok := r.memory.Body(r.job.Spec.Key)
		require.True(t, ok, "the object is missing")
		return body
	}
	body, err := io.ReadAll(r.stored(t).Body)
	require.NoError(t, err)
	return body
}

// requireExact checks that the object has exactly the source's bytes, and that no upload is open.
func (r *fixture) requireExact(t *testing.T) {
	t.Helper()
	require.True(t, bytes.Equal(r.source.body, r.body(t)), "stored bytes differ")
	require.Zero(t, r.open(t))
}

// requireAbsent checks that the object is missing.
func (r *fixture) requireAbsent(t *testing.T) {
	t.Helper()
	var err error
	if r.memory != nil {
		_, err = r.memory.Head(t.Context(), r.job.Spec.Key)
	} else {
		_, err = r.direct.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &r.pool.Bucket, Key: &r.job.Spec.Key})
	}
	require.Error(t, err, "the object exists")
}

// requireNothing checks that the object is missing, and that AbortUploads leaves no upload.
func (r *fixture) requireNothing(t *testing.T) {
	t.Helper()
	r.requireAbsent(t)
	require.NoError(t, copier.AbortUploads(t.Context(), r.Bucket, storage.Upload{Key: r.job.Spec.Key}))
	require.Zero(t, r.open(t))
}

// breaking resets the connection after left bytes of a body.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; b.left <= 0 && err == nil {
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		reset(b.ResponseWriter)
		err = io.ErrClosedPipe
	}
	return n, err
}

// reset breaks a connection by a TCP reset, so that the client gets an error.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func describe(size int) string { return fmt.Sprintf("%d bytes", size) }
