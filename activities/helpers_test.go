package activities_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// originDouble describes a source by a function of the test. The bytes come from a real HTTP
// server.
type originDouble struct {
	*origin.Client
	served *httptest.Server
	head   func(ctx context.Context, url string) (origin.Meta, error)
	get    func(w http.ResponseWriter, r *http.Request)
}

func newOrigin(t *testing.T) *originDouble {
	t.Helper()
	o := &originDouble{}
	o.get = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	o.served = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.get(w, r) }))
	t.Cleanup(o.served.Close)
	var err error
	o.Client, err = origin.New(origin.Config{
		AllowedPatterns: []string{"http://"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	require.NoError(t, err)
	return o
}

func (o *originDouble) Head(ctx context.Context, url string) (origin.Meta, error) {
	return o.head(ctx, url)
}

type observerDouble struct {
	mu     sync.Mutex
	bytes  int64
	failed string
}

func (o *observerDouble) Failed(_, class string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = class
}

func (o *observerDouble) Copied(_ string, bytes int64, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes += bytes
}

// owners holds the hashes of objects that a running workflow copies.
type owners map[string]bool

func (o owners) Running(context.Context, string) (map[string]bool, error) { return o, nil }

const body = "hello"

// fixture holds the activities, and doubles of their dependencies.
type fixture struct {
	*activities.Activities
	env    *testsuite.TestActivityEnvironment
	origin *originDouble
	bucket *storagetest.Memory
	cache  *cachetest.Memory
	seen   *observerDouble
	owners owners
	object storage.Object
	source activities.SealedObject
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{
		bucket: &storagetest.Memory{}, cache: &cachetest.Memory{}, seen: &observerDouble{}, owners: owners{},
	}
	b.origin = newOrigin(t)
	b.object = storage.Object{Service: "s3", Region: "us-west-2", URL: b.origin.served.URL + "/a?sig=secret"}
	b.origin.head = func(_ context.Context, url string) (origin.Meta, error) {
		require.Equal(t, b.object.URL, url)
		return origin.Meta{Size: int64(len(body)), ContentType: "text/plain"}, nil
	}
	s := sealer(t, newKey(t))
	b.source = s.Seal(b.object)
	b.Activities = &activities.Activities{
		Origin: b.origin, Bucket: b.bucket, Cache: b.cache, Sealer: s, Rules: cachetest.Rules(), Observer: b.seen, Now: time.Now,
		Owners: b.owners,
		Copier: &copier.Copier{
			Source: b.origin, Bucket: b.bucket, SmallMemory: copier.NewMemory(32 << 20), Memory: copier.NewMemory(64 << 20),
			PartSize: storage.MinPartSize, Parts: 2, StallTimeout: time.Minute, MinRate: 1, SpoolDir: t.TempDir(),
		},
	}
	b.env = (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	b.env.RegisterActivity(b.Activities)
	return b
}

func (b *fixture) key() string { return cache.Key(b.object.PoolID(), b.object.Hash()) }

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

func (b *fixture) streamCopy(t *testing.T, generation int64) (activities.Copy, error) {
	t.Helper()
	v, err := b.env.ExecuteActivity(b.StreamCopy, activities.StreamCopyInput{
		Source: b.source, Generation: generation, CopyID: "run/1", Replaces: b.replaces(t),
		Meta: origin.Meta{Size: int64(len(body)), ETag: "t\u00e9\"\n"},
	})
	var out activities.Copy
	if err == nil {
		require.NoError(t, v.Get(&out))
	}
	return out, err
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
