package activities_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestStreamCopy(t *testing.T) {
	b := newFixture(t)
	b.origin.get = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"1"`)
		_, _ = io.WriteString(w, body)
	}
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
	require.Equal(t, "text/plain; charset=utf-8", in.ContentType)
	require.Equal(t, b.origin.served.URL+"/a", in.Metadata["cloud-mirror-upstream-url"], "without its query")
	require.Equal(t, `"1"`, in.Metadata["cloud-mirror-upstream-etag"])
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
	require.Equal(t, 1, b.seen.copied)
	require.Equal(t, b.source.URL, b.seen.source)
	require.EqualValues(t, 1, b.origin.requests.Load(), "requests to the source")
}

// TestLargeObjectIsDescribedFirst sends the first request, and then copies the object.
func TestLargeObjectIsDescribedFirst(t *testing.T) {
	b := newFixture(t)
	body := b.large()
	out, err := b.copyOnce(t, b.first())
	require.NoError(t, err)
	require.Equal(t, activities.Copy{Attempts: 1}, out.Copy)
	require.EqualValues(t, len(body), out.Large.Size)
	require.EqualValues(t, 1, b.origin.requests.Load())
	require.Zero(t, b.seen.copied)
	_, ok := b.bucket.Body(b.object.Key())
	require.False(t, ok)

	in := b.first()
	in.First, in.Meta = false, *out.Large
	copied, err := b.copyLarge(t, in)
	require.NoError(t, err)
	require.Equal(t, copier.WayRanges, copied.Way)
	require.EqualValues(t, len(body), b.seen.bytes)
	stored, _ := b.bucket.Body(b.object.Key())
	require.Equal(t, string(body), string(stored))
}

// TestMetadataStaysWithinTheLimitOfS3 has a description from a history: a source's response is
// checked by package origin.
func TestMetadataStaysWithinTheLimitOfS3(t *testing.T) {
	b := newFixture(t)
	long := strings.Repeat("x\u00e9", 500)
	etag := strconv.Quote(strings.Repeat("x", 500))
	sum := sha256.Sum256(b.largeWith(etag))
	b.object.URL = b.origin.served.URL + "/" + strings.Repeat("long", 1000)
	b.source = b.Sealer.Seal(b.object)
	in := b.input()
	in.Source, in.CopyID, in.Generation = b.source, long, 1<<62
	in.Meta.Digests = []origin.Digest{{Algorithm: origin.SHA256, Value: sum[:]}}
	in.Meta.ETag, in.Meta.Addresses = etag, slices.Repeat([]origin.Hop{{Host: long, Status: 302}}, 30)
	copied, err := b.copyLarge(t, in)
	require.NoError(t, err)
	require.Equal(t, copier.WayRanges, copied.Way)
	spec, ok := b.bucket.Spec(b.object.Key())
	require.True(t, ok)
	size := 0
	for name, value := range spec.Metadata {
		size += len(name) + len(value)
		require.NotContains(t, value, "\u00e9")
	}
	require.Greater(t, size, 1<<10)
	require.Less(t, size, 2<<10)
	require.Equal(t, hex.EncodeToString(sum[:]), spec.Metadata[storage.MetadataSHA256])
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

// TestHeadersAreNeverChanged stores a header as it is, or leaves it out.
func TestHeadersAreNeverChanged(t *testing.T) {
	long := `attachment; filename*=UTF-8\'\'` + strings.Repeat("%E6%97%A5", 100)
	for sent, want := range map[string]string{
		long: long, strings.Repeat("x", 1024): strings.Repeat("x", 1024), strings.Repeat("x", 1025): "",
		"a\u00e9\nb": "", "a\u00e9b": "", "a\tb": "", "a\x7fb": "", "": "",
	} {
		b := newFixture(t)
		b.large()
		in := b.input()
		in.Meta.ContentDisposition, in.Meta.ContentLanguage, in.Meta.ContentType = sent, sent, sent
		copied, err := b.copyLarge(t, in)
		require.NoError(t, err)
		require.Equal(t, copier.WayRanges, copied.Way)
		spec, ok := b.bucket.Spec(b.object.Key())
		require.True(t, ok)
		require.Equal(t, want, spec.ContentDisposition)
		require.Equal(t, want, spec.ContentLanguage)
		require.Equal(t, cmp.Or(want, "application/octet-stream"), spec.ContentType)
	}
}

// TestHeadersOfTheResponseAreNeverChanged is TestHeadersAreNeverChanged for the response to a GET.
func TestHeadersOfTheResponseAreNeverChanged(t *testing.T) {
	for sent, want := range map[string]string{
		"text/x-test": "text/x-test", "text/\u00e9": "application/octet-stream", "text/\xe9": "application/octet-stream",
	} {
		b := newFixture(t)
		b.origin.get = func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"Content-Type", "Content-Language", "Content-Encoding", "Etag"} {
				w.Header().Set(name, sent)
			}
			_, _ = io.WriteString(w, body)
		}
		_, err := b.streamCopy(t, 0)
		require.NoError(t, err)
		spec, ok := b.bucket.Spec(b.object.Key())
		require.True(t, ok)
		require.Equal(t, want, spec.ContentType)
		if want != sent {
			want = ""
		}
		require.Equal(t, want, spec.ContentLanguage)
		require.Equal(t, want, spec.ContentEncoding)
		require.Equal(t, want, spec.Metadata["cloud-mirror-upstream-etag"])
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

// TestChangedSourceIsCopiedAsItIs has a description, of an older build, that the GET contradicts.
func TestChangedSourceIsCopiedAsItIs(t *testing.T) {
	b := newFixture(t)
	b.origin.get = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"2"`)
		_, _ = io.WriteString(w, body+"!")
	}
	in := b.first()
	in.First, in.Meta = false, origin.Meta{Size: int64(len(body)), ETag: `"1"`, ContentEncoding: "gzip"}
	out, err := b.copyLarge(t, in)
	require.NoError(t, err)
	require.EqualValues(t, len(body)+1, out.Size)
	stored, _ := b.bucket.Body(b.object.Key())
	require.Equal(t, body+"!", string(stored))
	spec, _ := b.bucket.Spec(b.object.Key())
	require.Equal(t, `"2"`, spec.Metadata["cloud-mirror-upstream-etag"])
	require.Equal(t, "6", spec.Metadata["cloud-mirror-upstream-content-length"])
	require.Empty(t, spec.ContentEncoding)
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

// TestEarlierBuildsPublishOnlyCopies decodes a result as a build before 2026-11-25 does.
func TestEarlierBuildsPublishOnlyCopies(t *testing.T) {
	for name, result := range map[string]activities.StreamCopyResult{
		"copied": {Copy: activities.Copy{Size: 7, Way: "one request"}},
		"large":  {Large: &origin.Meta{Size: 1 << 30, ETag: `"1"`}},
		"small":  {TooSmall: &activities.TooSmall{Size: 0, MinSize: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(result)
			require.NoError(t, err)
			var earlier activities.Copy
			if err := json.Unmarshal(data, &earlier); name == "copied" {
				require.NoError(t, err)
				require.Equal(t, result.Copy, earlier)
			} else {
				require.Error(t, err)
			}
			var again activities.StreamCopyResult
			require.NoError(t, json.Unmarshal(data, &again))
			require.Equal(t, result, again)
		})
	}
}

// TestFoundCopyIsNotCounted has a second attempt find the object of the first attempt. Its bytes
// were copied, and counted, once.
func TestFoundCopyIsNotCounted(t *testing.T) {
	b := newFixture(t)
	n := b.number(t.Context())
	for n.attempt = 1; n.attempt <= 2; n.attempt++ {
		_, err := b.env.ExecuteActivity(b.StreamCopy, b.first())
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, b.origin.requests.Load())
	require.Equal(t, 1, b.seen.copied)
	require.EqualValues(t, len(body), b.seen.bytes)
}
