package copier_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// TestFirstRequest sends one plain GET, which stores a small object and describes a large object.
func TestFirstRequest(t *testing.T) {
	const known, chunked, unframed = "with a length", "in chunks", "unframed"
	for name, tc := range map[string]struct {
		size    int
		framing string
		allow   bool // AllowUnverified
		large   bool
		class   origin.Class
		read    int // Bytes read of a large object, at most
	}{
		"empty":                              {0, known, false, false, "", 0},
		"small":                              {1000, known, false, false, "", 0},
		"the largest small one":              {copier.Small, known, false, false, "", 0},
		"the least large one":                {copier.Small + 1, known, false, true, "", 0},
		"large":                              {3 * copier.Small, known, false, true, "", 0},
		"empty, in chunks":                   {0, chunked, false, false, "", 0},
		"small, in chunks":                   {1000, chunked, false, false, "", 0},
		"the largest small one in chunks":    {mib - 1, chunked, false, false, "", 0},
		"the least large one in chunks":      {mib, chunked, false, true, "", mib},
		"large, in chunks":                   {copier.Small, chunked, false, true, "", mib},
		"small, unframed":                    {1000, unframed, false, false, origin.ClassUnverifiable, 0},
		"large, unframed":                    {copier.Small, unframed, false, false, origin.ClassUnverifiable, 0},
		"small, unframed and allowed":        {1000, unframed, true, false, "", 0},
		"the largest small one, unframed":    {mib - 1, unframed, true, false, "", 0},
		"the least large one, unframed":      {mib, unframed, true, true, "", mib},
		"large, unframed, allowed":           {copier.Small, unframed, true, true, "", mib},
		"empty, unframed, allowed":           {0, unframed, true, false, "", 0},
		"small, framed, unframed is allowed": {1000, known, true, false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, tc.size)
			r.job.First, r.AllowUnverified = true, tc.allow
			r.source.change(func() { r.source.chunked = tc.framing == chunked })
			if tc.framing == unframed {
				r.source.serve = func(w http.ResponseWriter, _ *http.Request, _ int64) { r.source.serveUnframed(w) }
			}
			out, err := r.run(t.Context())
			require.EqualValues(t, 1, r.source.gets.Load(), "requests to the source")
			require.Zero(t, r.source.ranges.Load())
			require.Nil(t, r.saved.Load(), "the first request has no state")
			require.Zero(t, r.open(t))
			if tc.class != "" {
				var failure *origin.Error
				require.ErrorAs(t, err, &failure)
				require.Equal(t, tc.class, failure.Class)
				require.True(t, failure.Permanent)
				r.requireNothing(t)
				return
			}
			require.NoError(t, err)
			if tc.large {
				r.requireAbsent(t)
				require.LessOrEqual(t, out.Fetched, int64(tc.read))
				require.Equal(t, copier.Result{Large: out.Large, Fetched: out.Fetched}, out)
				want := int64(tc.size)
				if tc.framing != known {
					want = -1
				}
				require.Equal(t, want, out.Large.Size)
				require.Equal(t, `"one"`, out.Large.ETag)
				r.job.First, r.job.Meta = false, *out.Large
				out, err = r.run(t.Context())
				require.NoError(t, err)
				require.NotEqual(t, copier.WayRequest, out.Way)
			} else {
				require.Nil(t, out.Large)
				require.Equal(t, copier.WayRequest, out.Way)
			}
			r.requireExact(t)
			require.EqualValues(t, tc.size, out.Fetched)
			require.EqualValues(t, tc.size, out.Size)
			spec, _ := r.memory.Spec(r.key)
			require.Equal(t, `"one"`, spec.Metadata[metadataETag])
			require.Equal(t, tc.framing == unframed, out.Unverified)
			if tc.framing == unframed {
				require.Equal(t, "true", spec.Metadata[copier.MetadataUnverified])
			} else {
				require.NotContains(t, spec.Metadata, copier.MetadataUnverified)
			}
		})
	}
}

// TestFirstRequestReadsNothingOfALargeObject has a source that sends only the head of its response.
func TestFirstRequestReadsNothingOfALargeObject(t *testing.T) {
	r := inMemory(t, 1)
	r.job.First = true
	left := make(chan struct{})
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		w.Header().Set("Content-Length", strconv.Itoa(copier.Small+1))
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
		close(left)
	}
	out, err := r.run(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, copier.Small+1, out.Large.Size)
	require.Zero(t, out.Fetched)
	<-left // The copier closed the connection
}

// TestFirstRequestLetsTheServerCopy has a small object in an S3 that the bucket's server can read.
func TestFirstRequestLetsTheServerCopy(t *testing.T) {
	for name, fails := range map[string]bool{"it copies": false, "it refuses": true} {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, 2000)
			r.job.Server = func(m origin.Meta) *storage.CopySource {
				return &storage.CopySource{Bucket: "other", Key: "object", ETag: m.ETag, Size: m.Size}
			}
			r.memory.OnCopy = func(
				_ context.Context, spec storage.ObjectSpec, src storage.CopySource, _ func(int64),
			) ([]byte, error) {
				require.Equal(t, storage.CopySource{Bucket: "other", Key: "object", ETag: `"one"`, Size: 2000}, src)
				require.Equal(t, "application/x-test", spec.ContentType)
				if fails {
					return nil, storage.ErrNotCopied
				}
				return r.source.body, nil
			}
			out, err := r.run(t.Context())
			require.NoError(t, err)
			r.requireExact(t)
			require.EqualValues(t, 1, r.source.gets.Load())
			if fails {
				require.Equal(t, copier.WayRequest, out.Way)
				require.NotEmpty(t, out.Restarted)
			} else {
				require.Equal(t, copier.WayServer, out.Way)
				require.Zero(t, out.Fetched)
			}
		})
	}
}

// TestGETDecides copies an object that is not as it was described. The first request describes
// nothing, and a stream is described by its own response.
func TestGETDecides(t *testing.T) {
	for name, described := range map[string]origin.Meta{
		"nothing is known":     {Size: -1},
		"another length":       {Size: 5},
		"another large object": {Size: 3 * partSize, ETag: `W/"old"`, ContentType: "text/old", ContentEncoding: "gzip", AcceptRanges: true},
		"wrong digest":         {Size: 2000, Digests: []origin.Digest{{Algorithm: "md5", Value: make([]byte, 16)}}},
	} {
		for _, size := range []int{0, 2000, 2*partSize + 1} {
			t.Run(name+", "+describe(size), func(t *testing.T) {
				r := inMemory(t, size)
				r.job.First, r.job.Meta = false, described
				out, err := r.run(t.Context())
				require.NoError(t, err)
				require.Equal(t, copier.WayStream, out.Way)
				require.EqualValues(t, 1, r.source.gets.Load())
				require.Zero(t, r.source.ranges.Load())
				r.requireExact(t)
				spec, _ := r.memory.Spec(r.key)
				require.Equal(t, "application/x-test", spec.ContentType)
				require.Empty(t, spec.ContentEncoding)
				require.Equal(t, `"one"`, spec.Metadata[metadataETag])
			})
		}
	}
}

// TestSmallObjectIsDescribedByItsOwnResponse changes the source after each request.
func TestSmallObjectIsDescribedByItsOwnResponse(t *testing.T) {
	r := inMemory(t, 2000)
	r.source.serve = func(w http.ResponseWriter, req *http.Request, n int64) {
		r.source.serveVersion(w, req, []byte{byte(n)}, strconv.Quote(strconv.FormatInt(n, 10)))
	}
	for n := range byte(3) {
		_, err := r.run(t.Context())
		require.NoError(t, err)
		require.Equal(t, []byte{n + 1}, r.body(t))
		spec, _ := r.memory.Spec(r.key)
		require.Equal(t, strconv.Quote(strconv.Itoa(int(n)+1)), spec.Metadata[metadataETag])
		head, err := r.memory.Head(t.Context(), r.key)
		require.NoError(t, err)
		r.replaced = head.ETag
	}
}
