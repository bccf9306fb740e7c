package activities_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestStreamCopy(t *testing.T) {
	b := newFixture(t)
	out, err := b.streamCopy(t, 7)
	require.NoError(t, err)
	require.EqualValues(t, len(body), out.Size)
	stored, ok := b.bucket.Body(b.object.Key())
	require.True(t, ok)
	require.Equal(t, body, string(stored))
	head, err := b.bucket.Head(t.Context(), b.object.Key())
	require.NoError(t, err)
	require.EqualValues(t, 7, head.Generation)
	in, _ := b.bucket.Spec(b.object.Key())
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

func TestMetadataStaysWithinTheLimitOfS3(t *testing.T) {
	b := newFixture(t)
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
	in, ok := b.bucket.Spec(b.object.Key())
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

func TestShortBodyIsNotStored(t *testing.T) {
	b := newFixture(t)
	b.origin.get = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, body[1:])
	}
	_, err := b.streamCopy(t, 0)
	requireFailure(t, err, "SourceTruncated", false)
	_, ok := b.bucket.Body(b.object.Key())
	require.False(t, ok)
}

func TestUnavailableBucketIsRetried(t *testing.T) {
	b := newFixture(t)
	b.bucket.Err = errors.New("down")
	_, err := b.streamCopy(t, 0)
	requireFailure(t, err, activities.ClassStorage, false)
}

func TestHeadersAreNeverTruncated(t *testing.T) {
	long := `attachment; filename*=UTF-8\'\'` + strings.Repeat("%E6%97%A5", 100)
	for sent, want := range map[string]string{
		long: long, strings.Repeat("x", 1024): strings.Repeat("x", 1024), strings.Repeat("x", 1025): "",
		"a\u00e9\nb": "a??b",
	} {
		b := newFixture(t)
		_, err := b.env.ExecuteActivity(b.StreamCopy, activities.StreamCopyInput{
			Source: b.source, CopyID: "run/1", Meta: origin.Meta{Size: int64(len(body)), ContentDisposition: sent},
		})
		require.NoError(t, err)
		in, ok := b.bucket.Spec(b.object.Key())
		require.True(t, ok)
		require.Equal(t, want, in.ContentDisposition)
	}
}

func TestPurgeEndsARunningCopy(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
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

func TestOnlyProgressRenewsTheLease(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		pause    time.Duration
		min, max int64
	}{
		"the source sends bytes": {900 * time.Millisecond, 3, 100},
		// The first beat may renew the lease, which is as old as the copy.
		"the source sends nothing": {time.Hour, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
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

func TestChangedSourceIsLeftToTheWorkflow(t *testing.T) {
	b := newFixture(t)
	b.origin.get = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body+"!") }
	_, err := b.streamCopy(t, 0)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.True(t, app.NonRetryable())
	var f activities.Failure
	require.NoError(t, app.Details(&f))
	require.False(t, f.Permanent, "front ends would remember it as permanent")
}

func TestCopyWithoutRedis(t *testing.T) {
	b := newFixture(t)
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
