package activities_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// originDouble is a source on a real HTTP server. It counts the requests.
type originDouble struct {
	*origin.Client
	served   *httptest.Server
	get      func(w http.ResponseWriter, r *http.Request)
	requests atomic.Int64
	// err, if set, is the error of each request.
	err error
}

func newOrigin(t *testing.T) *originDouble {
	t.Helper()
	o := &originDouble{}
	o.get = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	o.served = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.requests.Add(1)
		o.get(w, r)
	}))
	t.Cleanup(o.served.Close)
	var err error
	o.Client, err = origin.New(origin.Config{
		Allowed: []string{"http://127.0.0.1:*/"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	require.NoError(t, err)
	return o
}

func (o *originDouble) First(ctx context.Context, url string) (*origin.Body, error) {
	if o.err != nil {
		return nil, o.err
	}
	return o.Client.First(ctx, url)
}

// answer makes the source answer every request with a status and headers.
func (o *originDouble) answer(status int, header http.Header) {
	o.get = func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
	}
}

type observerDouble struct {
	mu           sync.Mutex
	copied       int
	bytes        int64
	source       string // Of the last copy
	failed       string // The class of the last failure
	handedBack   int
	tooSmall     int
	unmirrorable []string // The classes, in order
	audited      []string // The sources and results, in order
	auditPurged  int
	refreshed    []string // The pools and results, in order

	attempts       []bool // Whether each is another attempt, in order
	running        int
	attemptsFailed []string // The pools, classes and statuses, in order
	found          int64    // bytes
	swept          activities.SweepResult
	sweepFailed    bool
}

func (o *observerDouble) Audited(source, result string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.audited = append(o.audited, source+" "+result)
}

func (o *observerDouble) AuditPurged(string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.auditPurged++
}

func (o *observerDouble) Refreshed(pool, result string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refreshed = append(o.refreshed, pool+" "+result)
}

func (o *observerDouble) Unmirrorable(_, class string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unmirrorable = append(o.unmirrorable, class)
}

func (o *observerDouble) HandedBack(string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handedBack++
}

func (o *observerDouble) TooSmall(string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tooSmall++
}

func (o *observerDouble) Failed(_, class string, _ int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = class
}

func (o *observerDouble) Attempt(_ string, again bool) (ended func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attempts = append(o.attempts, again)
	o.running++
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.running--
	}
}

func (o *observerDouble) AttemptFailed(pool, class string, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attemptsFailed = append(o.attemptsFailed, fmt.Sprint(pool, " ", class, " ", status))
}

func (o *observerDouble) Found(_ string, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.found += bytes
}

func (o *observerDouble) Swept(_ string, found activities.SweepResult, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.swept, o.sweepFailed = found, err != nil
}

func (o *observerDouble) Copied(_, source string, bytes int64, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.source = source
	o.copied++
	o.bytes += bytes
}

// owners holds the hashes of objects that a running workflow copies.
type owners map[string]bool

func (o owners) Running(context.Context, string) (map[string]bool, error) { return o, nil }

// Terminated reports whether the test has terminated the workflow.
func (o owners) Terminated(context.Context, string, string) (bool, error) { return o[terminated], nil }

// terminated is the key of owners for a workflow that an operator terminated.
const terminated = "terminated"

// manyRuns is a cache for which each failure is one of another run: the test environment has one run
// id.
type manyRuns struct {
	*cachetest.Memory
	runs atomic.Int64
}

func (m *manyRuns) Failures(ctx context.Context, key, class, _ string, ttl time.Duration) (cache.Row, error) {
	return m.Memory.Failures(ctx, key, class, strconv.FormatInt(m.runs.Add(1), 10), ttl)
}

const body = "hello"

// fixture holds the activities, and doubles of their dependencies.
type fixture struct {
	*activities.Activities
	env    *testsuite.TestActivityEnvironment
	log    lines
	origin *originDouble
	bucket *storagetest.Memory
	cache  *cachetest.Memory
	seen   *observerDouble
	owners owners
	object storage.Object
	source activities.SealedObject
}

// lines holds what was written to it. It is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{
		bucket: &storagetest.Memory{}, cache: &cachetest.Memory{}, seen: &observerDouble{}, owners: owners{},
	}
	b.origin = newOrigin(t)
	b.object = storage.Object{Service: "s3", Region: "us-west-2", URL: b.origin.served.URL + "/a?sig=secret"}
	s, err := seal.New([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	require.NoError(t, err)
	b.source = s.Seal(b.object)
	b.Activities = &activities.Activities{
		Pool:   storage.Pool{Service: "s3", Region: "us-west-2"},
		Bucket: b.bucket, Cache: b.cache, Space: cache.NewSpace(cache.DefaultPrefix, b.object.PoolID(), "", "bucket"), Sealer: s, Rules: cachetest.Rules(), Observer: b.seen, Now: time.Now,
		Owners: b.owners, Source: b.origin,
		Copier: &copier.Copier{
			Source: b.origin, Bucket: b.bucket, SmallMemory: copier.NewMemory(32 << 20), Memory: copier.NewMemory(64 << 20),
			PartSize: storage.MinPartSize, Parts: 2, StallTimeout: time.Minute, MinRate: 1, SpoolDir: t.TempDir(),
		},
	}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewJSONHandler(&b.log, nil))))
	b.env = suite.NewTestActivityEnvironment()
	b.env.RegisterActivity(b.Activities)
	return b
}

func (b *fixture) key() string { return b.Space.Key(b.object.Hash()) }

func (b *fixture) entry(t *testing.T) cache.Entry {
	t.Helper()
	e, err := b.cache.Get(t.Context(), b.key())
	require.NoError(t, err)
	return e
}

func (b *fixture) headSource(t *testing.T) (activities.HeadSourceResult, error) {
	t.Helper()
	v, err := b.env.ExecuteActivity(b.HeadSource, activities.HeadSourceInput{Source: b.source})
	var out activities.HeadSourceResult
	if err == nil {
		require.NoError(t, v.Get(&out))
	}
	return out, err
}

// first returns the input of the first request.
func (b *fixture) first() activities.StreamCopyInput {
	return activities.StreamCopyInput{Source: b.source, First: true, Meta: origin.Meta{Size: -1}, CopyID: "run/1"}
}

func (b *fixture) streamCopy(t *testing.T, generation int64) (activities.Copy, error) {
	t.Helper()
	in := b.first()
	in.Generation, in.Replaces = generation, b.replaces(t)
	return b.copyLarge(t, in)
}

// replaces returns the ETag that HeadSource would have seen in the bucket.
func (b *fixture) replaces(t *testing.T) string {
	t.Helper()
	if b.bucket.Err != nil {
		return ""
	}
	stored, err := b.bucket.Head(t.Context(), b.object.Key())
	if err != nil {
		return ""
	}
	return stored.ETag
}

// requireFailure checks the form that an error has in the history.
func requireFailure(t *testing.T, err error, class string, permanent bool) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, class, app.Type())
	require.Equal(t, permanent, app.NonRetryable())
	require.NotContains(t, app.Error(), "secret")
	require.LessOrEqual(t, len(app.Message()), 1024)
	require.True(t, utf8.ValidString(app.Message()))
	var f activities.Failure
	require.NoError(t, app.Details(&f))
	require.Equal(t, class, f.Class)
	require.Equal(t, permanent, f.Permanent)
}

// outbound is a worker's interceptor of the calls from activities to the SDK.
type outbound struct {
	interceptor.WorkerInterceptorBase
	interceptor.ActivityInboundInterceptorBase
	wrap func(next interceptor.ActivityOutboundInterceptor) interceptor.ActivityOutboundInterceptor
}

func (o *outbound) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &outbound{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, wrap: o.wrap}
}

func (o *outbound) Init(next interceptor.ActivityOutboundInterceptor) error {
	return o.Next.Init(o.wrap(next))
}
