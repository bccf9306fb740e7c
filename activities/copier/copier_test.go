package copier_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// ways lists how a source may serve, and the way in which its large objects are copied.
func ways() map[string]struct {
	header http.Header
	length bool
	want   string
} {
	return map[string]struct {
		header http.Header
		length bool
		want   string
	}{
		"ranges":         {nil, true, copier.WayRanges},
		"no ranges":      {http.Header{"Accept-Ranges": {"none"}}, true, copier.WayStream},
		"weak etag":      {http.Header{"Etag": {`W/"one"`}}, true, copier.WayStream},
		"unknown length": {nil, false, copier.WayStream},
	}
}

func TestEverySizeIsCopiedExactlyAndFetchedOnce(t *testing.T) {
	for _, size := range []int{
		0, 1, copier.Small - 1, copier.Small, copier.Small + 1, 2*partSize - 1, 2 * partSize, 2*partSize + 1, 5*partSize + 12345,
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
			r.source.change(func() {
				r.source.header, r.source.serve = func(h http.Header) { maps.Copy(h, way.header) }, nil
			})
			r.newJob(t)
			r.source.change(func() {
				r.source.sent.Store(0)
				if way.length {
					return
				}
				r.job.Meta.Size = -1
				r.source.serve = func(w http.ResponseWriter, _ *http.Request, _ int64) {
					w.Header().Set("Etag", `"one"`)
					_ = http.NewResponseController(w).Flush()
					_, _ = w.Write(r.source.body)
				}
			})
			r.saved.Store(nil)
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
			require.EqualValues(t, size, out.Size)
			require.EqualValues(t, size, out.Fetched)
			require.EqualValues(t, size, r.source.sentBytes())
			if way.length && size <= copier.Small {
				way.want = copier.WayRequest
			}
			require.Equal(t, way.want, out.Way)
		})
	}
}

func TestMetadataHoldsTheChecksum(t *testing.T) {
	r := inMemory(t, 1234)
	_, err := r.attempt(t)
	require.NoError(t, err)
	in, ok := r.memory.Spec(r.job.Spec.Key)
	require.True(t, ok)
	sum := r.memory.Checksum().Body(r.source.body).Sum
	require.Equal(t, base64.StdEncoding.EncodeToString(sum), in.Metadata["cloud-mirror-crc64nvme"])
	require.Equal(t, r.job.Spec.Key, in.Metadata[storage.MetadataCopyID])
	require.NotContains(t, r.job.Spec.Metadata, "cloud-mirror-crc64nvme", "the job was changed")
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
			r.source.header = func(h http.Header) { maps.Copy(h, way.header) }
			r.newJob(t)
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
				r.source.header = func(h http.Header) { h.Set("Accept-Ranges", ranges) }
				if ranges == "bytes" {
					r.source.header = nil
				}
				digests(t, r)
			})
		}
	}
}

func digests(t *testing.T, r *fixture) {
	t.Helper()
	sum, wrong := sha256.Sum256(r.source.body), sha256.Sum256([]byte("something else"))
	for name, tc := range map[string]struct {
		source, request []byte
		ok              bool
	}{
		"of the source":                {sum[:], nil, true},
		"of the request":               {nil, sum[:], true},
		"of both":                      {sum[:], sum[:], true},
		"the source's does not match":  {wrong[:], nil, false},
		"the request's does not match": {nil, wrong[:], false},
		"only the source's matches":    {sum[:], wrong[:], false},
	} {
		t.Run(name, func(t *testing.T) {
			r.saved.Store(nil)
			r.newJob(t)
			if tc.source != nil {
				r.job.Meta.Digests = []origin.Digest{{Algorithm: "sha-256", Value: tc.source}}
			}
			if tc.request != nil {
				r.job.Expect = []origin.Digest{{Algorithm: "sha-256", Value: tc.request}}
			}
			_, err := r.attempt(t)
			if tc.ok {
				require.NoError(t, err)
				r.requireExact(t)
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
		r.source.serve = func(w http.ResponseWriter, _ *http.Request, _ int64) {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(buf, "HTTP/1.1 200 OK\r\nEtag: \"one\"\r\nConnection: close\r\n\r\n")
			_, _ = buf.Write(r.source.body)
			_ = buf.Flush()
		}
		r.job.Meta.Size = -1
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
				sum := sha256.Sum256(r.source.body)
				if digest {
					r.job.Expect = []origin.Digest{{Algorithm: "sha-256", Value: sum[:]}}
				}
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
