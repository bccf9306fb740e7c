package copier_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// way is how a source may serve, and the way in which its large objects are copied.
type way struct {
	header  http.Header
	chunked bool
	want    string
}

func ways() map[string]way {
	return map[string]way{
		"ranges":         {nil, false, copier.WayRanges},
		"no ranges":      {http.Header{"Accept-Ranges": {"none"}}, false, copier.WayStream},
		"weak etag":      {http.Header{"Etag": {`W/"one"`}}, false, copier.WayStream},
		"unknown length": {nil, true, copier.WayStream},
	}
}

// use makes the source serve in a way.
func (r *fixture) use(t *testing.T, w way) {
	t.Helper()
	r.source.change(func() {
		r.source.header, r.source.chunked = func(h http.Header) { maps.Copy(h, w.header) }, w.chunked
	})
	r.newJob(t)
	r.saved.Store(nil)
}

func TestEverySizeIsCopiedExactlyAndFetchedOnce(t *testing.T) {
	for _, size := range []int{
		0, 1, mib - 1, mib, mib + 1, copier.Small - 1, copier.Small, copier.Small + 1, 2*partSize - 1, 2 * partSize, 2*partSize + 1,
		5*partSize + 12345,
	} {
		t.Run(describe(size), func(t *testing.T) { everyWay(t, inMemory(t, size)) })
	}
	onServers(t, 5*partSize+12345, everyWay)
	onServers(t, 1234, everyWay)
}

func everyWay(t *testing.T, r *fixture) {
	t.Helper()
	size := len(r.source.body)
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			r.use(t, way)
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
			require.EqualValues(t, size, out.Size)
			require.EqualValues(t, size, out.Fetched)
			require.EqualValues(t, size, r.source.sentBytes())
			if size < mib || size <= copier.Small && !way.chunked {
				way.want = copier.WayRequest
			}
			require.Equal(t, way.want, out.Way)
		})
	}
}

func TestMetadataHoldsTheChecksum(t *testing.T) {
	r := inMemory(t, 1234)
	given := r.spec(r.job.Meta)
	r.job.Spec = func(origin.Meta) storage.ObjectSpec { return given }
	_, err := r.attempt(t)
	require.NoError(t, err)
	in, ok := r.memory.Spec(r.key)
	require.True(t, ok)
	require.Equal(t, "application/x-test", in.ContentType)
	sum := r.memory.Checksum().Body(r.source.body).Sum
	require.Equal(t, base64.StdEncoding.EncodeToString(sum), in.Metadata["cloud-mirror-crc64nvme"])
	require.Equal(t, r.key, in.Metadata[storage.MetadataCopyID])
	require.NotContains(t, given.Metadata, "cloud-mirror-crc64nvme", "the job was changed")
}

func TestRangesAreFetchedInParallel(t *testing.T) {
	r := inMemory(t, 4*partSize)
	// The source answers only when inFlight requests have arrived.
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		arrived <- struct{}{}
		<-release
		r.source.serveWhole(w, req)
	}
	go func() {
		for range inFlight {
			<-arrived
		}
		close(release)
	}()
	_, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
}

func TestPartsLargerThanABufferAreKeptInFiles(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, 3*partSize+1)
			r.use(t, way)
			r.Memory = copier.NewMemory(4 << 20)
			_, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
		})
	}
}

func TestDigests(t *testing.T) {
	for _, size := range []int{1000, 4*partSize + 7} {
		for _, ranges := range []string{"bytes", "none"} {
			t.Run(describe(size)+", ranges "+ranges, func(t *testing.T) {
				r := inMemory(t, size)
				digests(t, r, ranges)
			})
		}
	}
}

func digests(t *testing.T, r *fixture, ranges string) {
	t.Helper()
	sum, wrong := sha256.Sum256(r.source.body), sha256.Sum256([]byte("something else"))
	for name, tc := range map[string]struct {
		source  []byte
		compute bool
		ok      bool
	}{
		"none":                           {nil, false, true},
		"computed":                       {nil, true, true},
		"of the source":                  {sum[:], false, true},
		"of the source, and computed":    {sum[:], true, true},
		"wrong one of the source":        {wrong[:], false, false},
		"wrong one of the source, twice": {wrong[:], true, false},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if ranges == "none" {
				header.Set("Accept-Ranges", ranges)
			}
			if tc.source != nil {
				header.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(tc.source)+":")
			}
			r.use(t, way{header: header})
			r.job.SHA256 = tc.compute
			out, err := r.attempt(t)
			if tc.ok {
				require.NoError(t, err)
				r.requireExact(t)
				want := ""
				if tc.source != nil || tc.compute {
					want = hex.EncodeToString(sum[:])
				}
				require.Equal(t, want, out.SHA256)
				if out.Way == copier.WayRequest {
					spec, _ := r.memory.Spec(r.key)
					require.Equal(t, want, spec.Metadata[storage.MetadataSHA256])
				}
				return
			}
			var source *origin.Error
			require.ErrorAs(t, err, &source)
			require.Equal(t, origin.ClassCorrupt, source.Class)
			require.Zero(t, r.open(t), "the next attempt would resume it")
			r.requireNothing(t)
		})
	}
}

func TestUnverifiableBody(t *testing.T) {
	onServers(t, 1000, func(t *testing.T, r *fixture) {
		r.source.serve = func(w http.ResponseWriter, _ *http.Request, _ int64) { r.source.serveUnframed(w) }
		_, err := r.attempt(t)
		var source *origin.Error
		require.ErrorAs(t, err, &source)
		require.Equal(t, origin.ClassUnverifiable, source.Class)
		require.True(t, source.Permanent)
		r.requireNothing(t)

		r.AllowUnverified = true
		out, err := r.attempt(t)
		require.NoError(t, err)
		require.True(t, out.Unverified)
		r.requireExact(t)
		require.Equal(t, "true", r.stored(t).Metadata[copier.MetadataUnverified])
	})
}

func TestResumeFetchesMissingParts(t *testing.T) {
	const count = 8
	for name, digest := range map[string]bool{"without a digest": false, "with a digest": true} {
		t.Run("after a reset "+name, func(t *testing.T) {
			onServers(t, count*partSize, func(t *testing.T, r *fixture) {
				r.job.SHA256 = digest
				r.source.serve = func(w http.ResponseWriter, req *http.Request, n int64) {
					if n == count-2 {
						w = &breaking{w, partSize / 2}
					}
					r.source.serveWhole(w, req)
				}
				_, err := r.attempt(t)
				require.Error(t, err)
				require.Equal(t, 1, r.open(t))
				out, err := r.attempt(t)
				require.NoError(t, err)
				r.requireExact(t)
				require.Positive(t, out.Resumed)
				again := r.source.sentBytes() - count*partSize
				if digest {
					require.LessOrEqual(t, again, int64(inFlight*partSize))
				} else {
					require.LessOrEqual(t, again, int64(partSize), "parts in flight were not finished")
				}
			})
		})
	}
}
