package copier_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
	mib      = 1 << 20
	partSize = storage.MinPartSize
	inFlight = 3
)

// source serves one object, and counts the bytes of the bodies that it sends.
type source struct {
	*httptest.Server
	body []byte
	sent atomic.Int64 // Read it by sentBytes
	// gets counts all requests, and ranges those for a range.
	gets, ranges atomic.Int64
	busy         sync.RWMutex // Held for reading by each request
	// If set, serve answers the nth request (from 1) instead.
	serve func(w http.ResponseWriter, r *http.Request, n int64)
	// If set, header changes the headers of every response.
	header func(http.Header)
	// chunked is set if whole objects are sent without a length.
	chunked bool
}

func newSource(t *testing.T, size int) *source {
	t.Helper()
	s := &source{body: make([]byte, size)}
	_, _ = rand.Read(s.body)
	var other atomic.Int64
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.busy.RLock()
		defer s.busy.RUnlock()
		w = &counting{ResponseWriter: w, n: &s.sent}
		if r.Method != http.MethodGet {
			other.Add(1)
		}
		if isRange(r) {
			s.ranges.Add(1)
		}
		if n := s.gets.Add(1); s.serve != nil {
			s.serve(w, r, n)
			return
		}
		s.serveWhole(w, r)
	}))
	t.Cleanup(func() {
		s.Close()
		require.Zero(t, other.Load(), "requests that are no GET")
		// Package testing keeps this closure until the parent test ends. With it would stay the
		// body, and the fixture that serve refers to: gigabytes in tests with many cases.
		s.change(func() { s.body, s.serve, s.header = nil, nil, nil })
	})
	return s
}

// isRange reports whether r requests a range.
func isRange(r *http.Request) bool { return r.Header.Get("Range") != "" }

// plain counts the plain GETs so far.
func (s *source) plain() int64 { return s.gets.Load() - s.ranges.Load() }

// forget resets the counters.
func (s *source) forget() {
	s.change(func() {
		for _, n := range []*atomic.Int64{&s.sent, &s.gets, &s.ranges} {
			n.Store(0)
		}
	})
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
	s.serveVersion(w, r, s.body, `"one"`)
}

// serveVersion answers with a version of the object.
func (s *source) serveVersion(w http.ResponseWriter, r *http.Request, body []byte, etag string) {
	w.Header().Set("Etag", etag)
	w.Header().Set("Content-Type", "application/x-test")
	if s.header != nil {
		s.header(w.Header())
	}
	switch {
	case s.chunked:
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(body)
	case w.Header().Get("Accept-Ranges") == "none":
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}

// serveUnframed answers without a length and without chunks.
func (s *source) serveUnframed(w http.ResponseWriter) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(buf, "HTTP/1.1 200 OK\r\nEtag: \"one\"\r\nConnection: close\r\n\r\n")
	_, _ = buf.Write(s.body)
	_ = buf.Flush()
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
	// key is the object's key, and replaced the ETag of the object that the copy may overwrite.
	key, replaced string
	saved         atomic.Pointer[copier.State]
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

// newOrigin returns a client for sources on loopback, with a limit of connections; 0 is the
// default.
func newOrigin(t *testing.T, conns int) *origin.Client {
	t.Helper()
	client, err := origin.New(origin.Config{
		Allowed: []string{"http://127.0.0.1:*/"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		MaxConnsPerHost: conns,
	})
	require.NoError(t, err)
	return client
}

func (r *fixture) init(t *testing.T, b copier.Bucket) {
	t.Helper()
	r.origin = newOrigin(t, 0)
	r.Copier = &copier.Copier{
		Source: r.origin, Bucket: b, SmallMemory: copier.NewMemory(64 << 20), Memory: copier.NewMemory(64 << 20),
		PartSize: partSize, Parts: inFlight, StallTimeout: 30 * time.Second, MinRate: 1, SpoolDir: t.TempDir(),
	}
	r.newJob(t)
}

// newJob describes the source by a plain GET, and does not read the body, like the copier's first
// request for a large object. It leaves an object that may be small to that request.
func (r *fixture) newJob(t *testing.T) {
	t.Helper()
	serve := r.source.serve
	r.source.change(func() { r.source.serve = nil })
	url := r.source.URL + "/object"
	body, err := r.origin.First(t.Context(), url)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	r.source.change(func() { r.source.serve = serve })
	r.source.forget()
	r.key = strings.NewReplacer("/", "_", " ", "_", "#", "_").Replace(t.Name()) + "/" + strconv.FormatInt(time.Now().UnixNano(), 36)
	r.replaced = ""
	r.job = &copier.Job{
		URL: url, Meta: body.Meta(), First: body.Size() <= copier.Small, Spec: r.spec,
		Server: func(origin.Meta) *storage.CopySource { return nil },
	}
}

// metadataETag is the name of the source's ETag in the metadata of a test's object.
const metadataETag = "source-etag"

// spec describes the object to store.
func (r *fixture) spec(m origin.Meta) storage.ObjectSpec {
	return storage.ObjectSpec{
		Key: r.key, ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, Replaces: r.replaced,
		Metadata: map[string]string{storage.MetadataCopyID: r.key, metadataETag: m.ETag},
	}
}

// attempt runs the copy once more, like StreamCopy after an earlier attempt. If the first request
// finds a large object, attempt copies it, like the workflow.
func (r *fixture) attempt(t *testing.T) (copier.Result, error) {
	t.Helper()
	return r.attemptIn(t.Context())
}

func (r *fixture) attemptIn(ctx context.Context) (copier.Result, error) {
	out, err := r.run(ctx)
	if err != nil || out.Large == nil {
		return out, err
	}
	r.source.forget()
	r.job.First, r.job.Meta = false, *out.Large
	return r.run(ctx)
}

// run runs the job once. Its state comes from JSON, like that of a heartbeat.
func (r *fixture) run(ctx context.Context) (copier.Result, error) {
	next := &copier.Job{
		URL: r.job.URL, First: r.job.First, Meta: r.job.Meta, Spec: r.job.Spec, SHA256: r.job.SHA256, Server: r.job.Server,
		MinSize:    r.job.MinSize,
		Checkpoint: func(s copier.State) { r.saved.Store(&s) },
	}
	if s := r.saved.Load(); s != nil {
		data, err := json.Marshal(s)
		if err == nil {
			err = json.Unmarshal(data, &next.Resume)
		}
		if err != nil {
			return copier.Result{}, err
		}
	}
	return r.Run(ctx, next)
}

// open counts the uploads under the key.
func (r *fixture) open(t *testing.T) int {
	t.Helper()
	uploads, err := r.Bucket.ListUploads(t.Context(), r.key)
	require.NoError(t, err)
	return len(uploads)
}

// stored gets the object from the real server.
func (r *fixture) stored(t *testing.T) *s3.GetObjectOutput {
	t.Helper()
	out, err := r.direct.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &r.pool.Bucket, Key: &r.key})
	require.NoError(t, err)
	return out
}

func (r *fixture) body(t *testing.T) []byte {
	t.Helper()
	if r.memory != nil {
		body, ok := r.memory.Body(r.key)
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
		_, err = r.memory.Head(t.Context(), r.key)
	} else {
		_, err = r.direct.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &r.pool.Bucket, Key: &r.key})
	}
	require.Error(t, err, "the object exists")
}

// requireNothing checks that the object is missing, and that AbortUploads leaves no upload.
func (r *fixture) requireNothing(t *testing.T) {
	t.Helper()
	r.requireAbsent(t)
	require.NoError(t, copier.AbortUploads(t.Context(), r.Bucket, storage.Upload{Key: r.key}))
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

// sha256Of returns a digest in base64.
func sha256Of(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func describe(size int) string { return fmt.Sprintf("%d bytes", size) }
