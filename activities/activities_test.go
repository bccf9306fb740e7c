package activities_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// originDouble stands for a source that fails as real ones can't be made to; what it lets through is served by a real one.
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

// owners are the hashes of objects that a running workflow copies.
type owners map[string]bool

func (o owners) Running(context.Context, string) (map[string]bool, error) { return o, nil }

const body = "hello"

// bench is the activities with doubles around them.
type bench struct {
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

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
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

func (b *bench) key() string { return cache.Key(b.object.PoolID(), b.object.Hash()) }

func (b *bench) entry(t *testing.T) cache.Entry {
	t.Helper()
	e, err := b.cache.Get(t.Context(), b.key())
	require.NoError(t, err)
	return e
}

func (b *bench) headSource(t *testing.T) (activities.HeadSourceResult, error) {
	t.Helper()
	v, err := b.env.ExecuteActivity(b.HeadSource, activities.HeadSourceInput{Source: b.source})
	var out activities.HeadSourceResult
	if err == nil {
		require.NoError(t, v.Get(&out))
	}
	return out, err
}

func (b *bench) streamCopy(t *testing.T, generation int64) (activities.Copy, error) {
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

// replaces is what HeadSource would have seen.
func (b *bench) replaces(t *testing.T) string {
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

// requireFailure checks the form in which an error reaches the history.
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

func TestHeadSource(t *testing.T) {
	b := newBench(t)
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.EqualValues(t, len(body), out.Meta.Size)
	require.Nil(t, out.Stored)
	require.Equal(t, cache.Pending, b.entry(t).State, "clients have nothing to wait for")
}

func TestHeadSourceFindsACopyThatIsThere(t *testing.T) {
	b := newBench(t)
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	b.origin.head = func(context.Context, string) (origin.Meta, error) { return origin.Meta{}, errors.New("gone") }
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.EqualValues(t, len(body), out.Stored.Size)
	require.NotEmpty(t, out.Stored.CRC64NVME)

	// But not one that was purged.
	generation, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	_, err = b.headSource(t)
	require.Error(t, err)
	_, err = b.streamCopy(t, generation)
	require.NoError(t, err)
	out, err = b.headSource(t)
	require.NoError(t, err)
	require.NotNil(t, out.Stored)
	require.Equal(t, generation, out.Generation)
}

func TestHeadSourceFindsACopyThoughTheSourceFailsFirst(t *testing.T) {
	b := newBench(t)
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	failed := make(chan struct{})
	b.origin.head = func(context.Context, string) (origin.Meta, error) {
		defer close(failed)
		return origin.Meta{}, &origin.Error{Class: origin.ClassBadHTTPStatus, Status: 404, Permanent: true}
	}
	b.Bucket = lateBucket{b.bucket, failed}
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.NotNil(t, out.Stored)
}

// lateBucket answers Head after something else, and notices if nobody waits for that.
type lateBucket struct {
	*storagetest.Memory
	after <-chan struct{}
}

func (b lateBucket) Head(ctx context.Context, key string) (storage.Stored, error) {
	<-b.after
	select {
	case <-ctx.Done():
		return storage.Stored{}, ctx.Err()
	case <-time.After(50 * time.Millisecond):
		return b.Memory.Head(ctx, key)
	}
}

func TestErrorsOfTheSource(t *testing.T) {
	for name, tc := range map[string]struct {
		err        error
		class      string
		permanent  bool
		retryAfter time.Duration
	}{
		"404": {&origin.Error{Class: origin.ClassBadHTTPStatus, Status: 404, Permanent: true}, "BadHTTPStatus", true, 0},
		"503": {
			&origin.Error{Class: origin.ClassBadHTTPStatus, Status: 503, RetryAfter: 7 * time.Second}, "BadHTTPStatus", false,
			7 * time.Second,
		},
		"half a rune":   {errors.New(strings.Repeat("x", 1023) + "\u00e9"), "InternalError", false, 0},
		"not allowed":   {&origin.Error{Class: origin.ClassInvalidURL, Permanent: true}, "InvalidUrl", true, 0},
		"anything else": {errors.New(strings.Repeat("x", 1<<20)), "InternalError", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.origin.head = func(context.Context, string) (origin.Meta, error) { return origin.Meta{}, tc.err }
			_, err := b.headSource(t)
			requireFailure(t, err, tc.class, tc.permanent)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, tc.retryAfter, app.NextRetryDelay())
		})
	}
}

func TestStreamCopy(t *testing.T) {
	b := newBench(t)
	out, err := b.streamCopy(t, 7)
	require.NoError(t, err)
	require.EqualValues(t, len(body), out.Size)
	stored, ok := b.bucket.Body(b.object.Key())
	require.True(t, ok)
	require.Equal(t, body, string(stored))
	head, err := b.bucket.Head(t.Context(), b.object.Key())
	require.NoError(t, err)
	require.EqualValues(t, 7, head.Generation)
	in, _ := b.bucket.Input(b.object.Key())
	require.Equal(t, "application/octet-stream", in.ContentType)
	require.Equal(t, b.origin.served.URL+"/a", in.Metadata["cloud-mirror-upstream-url"], "without its query")
	require.Equal(t, `t?"?`, in.Metadata["cloud-mirror-upstream-etag"], "printable ASCII")
	require.Equal(t, "5", in.Metadata["cloud-mirror-upstream-content-length"])
	for _, name := range []string{"stored", "workflow-id", "generation", "copy-id"} {
		require.NotEmpty(t, in.Metadata["cloud-mirror-"+name], name)
	}
	size := 0
	for name, value := range in.Metadata {
		size += len(name) + len(value)
	}
	require.Less(t, size, 2<<10)
	require.EqualValues(t, len(body), b.seen.bytes)
}

func TestMetadataStaysWithinWhatS3Takes(t *testing.T) {
	b := newBench(t)
	long := strings.Repeat("x\u00e9", 500)
	b.object.URL = b.origin.served.URL + "/" + strings.Repeat("long", 1000)
	b.source = b.Sealer.Seal(b.object)
	_, err := b.env.ExecuteActivity(b.StreamCopy, activities.StreamCopyInput{
		Source: b.source, CopyID: long, SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", Generation: 1 << 62,
		Meta: origin.Meta{
			Size: int64(len(body)), ETag: long, Addresses: slices.Repeat([]origin.Hop{{Host: long, Status: 302}}, 30),
		},
	})
	require.NoError(t, err)
	in, ok := b.bucket.Input(b.object.Key())
	require.True(t, ok)
	size := 0
	for name, value := range in.Metadata {
		size += len(name) + len(value)
		require.NotContains(t, value, "\u00e9")
	}
	require.Greater(t, size, 1<<10)
	require.Less(t, size, 2<<10)
	require.Equal(t, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", in.Metadata["cloud-mirror-sha256"])
}

func TestStreamCopyThatIsShortStoresNothing(t *testing.T) {
	b := newBench(t)
	b.origin.get = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, body[1:])
	}
	_, err := b.streamCopy(t, 0)
	requireFailure(t, err, "SourceTruncated", false)
	_, ok := b.bucket.Body(b.object.Key())
	require.False(t, ok)
}

func TestStreamCopyWithoutItsBucketIsRetried(t *testing.T) {
	b := newBench(t)
	b.bucket.Err = errors.New("down")
	_, err := b.streamCopy(t, 0)
	requireFailure(t, err, activities.ClassStorage, false)
}

func TestHeadersAreKeptWholeOrNotAtAll(t *testing.T) {
	long := `attachment; filename*=UTF-8\'\'` + strings.Repeat("%E6%97%A5", 100)
	for sent, want := range map[string]string{
		long: long, strings.Repeat("x", 1024): strings.Repeat("x", 1024), strings.Repeat("x", 1025): "",
		"a\u00e9\nb": "a??b",
	} {
		b := newBench(t)
		_, err := b.env.ExecuteActivity(b.StreamCopy, activities.StreamCopyInput{
			Source: b.source, CopyID: "run/1", Meta: origin.Meta{Size: int64(len(body)), ContentDisposition: sent},
		})
		require.NoError(t, err)
		in, ok := b.bucket.Input(b.object.Key())
		require.True(t, ok)
		require.Equal(t, want, in.ContentDisposition)
	}
}

func TestStreamCopyThatIsPurgedEnds(t *testing.T) {
	b := newBench(t)
	b.Rules.Lease = time.Millisecond
	b.origin.get = func(w http.ResponseWriter, r *http.Request) { drip(w, r, 700*time.Millisecond) }
	_, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	_, err = b.streamCopy(t, 0)
	requireFailure(t, err, activities.ClassPurged, true)
}

// countingCache counts the renewals of leases.
type countingCache struct {
	*cachetest.Memory
	puts atomic.Int64
}

func (c *countingCache) Put(ctx context.Context, key string, generation int64, e cache.Entry) error {
	c.puts.Add(1)
	return c.Memory.Put(ctx, key, generation, e)
}

func TestLeaseIsRenewedByProgressAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		pause    time.Duration
		min, max int64
	}{
		"bytes come": {900 * time.Millisecond, 3, 100},
		// The first time is for what came before: the lease is a moment old.
		"nothing comes": {time.Hour, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Rules.Lease, b.Copier.StallTimeout = time.Millisecond, 4500*time.Millisecond
			count := &countingCache{Memory: b.cache}
			b.Cache = count
			b.origin.get = func(w http.ResponseWriter, r *http.Request) { drip(w, r, tc.pause) }
			_, _ = b.streamCopy(t, 0)
			require.GreaterOrEqual(t, count.puts.Load(), tc.min)
			require.LessOrEqual(t, count.puts.Load(), tc.max)
		})
	}
}

func TestSourceThatChangedGoesBackToTheWorkflow(t *testing.T) {
	b := newBench(t)
	b.origin.get = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body+"!") }
	_, err := b.streamCopy(t, 0)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.True(t, app.NonRetryable())
	var f activities.Failure
	require.NoError(t, app.Details(&f))
	require.False(t, f.Permanent, "it would be answered from the negative cache")
}

func TestWithoutRedis(t *testing.T) {
	b := newBench(t)
	b.cache.Fail(errors.New("down"))
	_, err := b.headSource(t)
	require.NoError(t, err)
	_, err = b.streamCopy(t, 0)
	require.NoError(t, err)
	_, err = b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
		Source: b.source, Copy: &activities.Copy{Size: 5},
	})
	requireFailure(t, err, activities.ClassCache, false)
}
