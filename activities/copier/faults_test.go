package copier_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// lie is a fault of a source. Its serve answers every plain GET, or the fifth range of a large
// object, so that some parts are good.
type lie struct {
	serve func(s *source, w http.ResponseWriter, r *http.Request)
	// whole is the class of the error of a plain GET, and part that of a range. Empty: the object is
	// copied.
	whole, part origin.Class
	// described is how a copied object differs from a good source's. Only a plain GET describes it.
	described storage.ObjectSpec
}

func lies() map[string]lie {
	const truncated, unreachable, status = origin.ClassTruncated, origin.ClassUnreachable, origin.ClassBadHTTPStatus
	none := storage.ObjectSpec{}
	return map[string]lie{
		"ends early": {func(s *source, w http.ResponseWriter, r *http.Request) {
			w = &closing{ResponseWriter: w, left: 1000}
			s.serveWhole(w, r)
		}, truncated, truncated, none},
		"resets the connection": {func(s *source, w http.ResponseWriter, r *http.Request) {
			s.serveWhole(&breaking{w, 1000}, r)
		}, unreachable, unreachable, none},
		"has another etag": {func(s *source, w http.ResponseWriter, r *http.Request) {
			s.serveWhole(&overriding{w, func(h http.Header) { h.Set("Etag", `"two"`) }}, r)
		}, "", "", storage.ObjectSpec{Metadata: map[string]string{metadataETag: `"two"`}}},
		"answers that a precondition failed": {func(_ *source, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"two"`)
			w.WriteHeader(http.StatusPreconditionFailed)
		}, status, "", none},
		"is gone": {func(_ *source, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, status, "", none},
		"is busy": {func(_ *source, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, status, "", none},
		"sends a content coding": {func(s *source, w http.ResponseWriter, r *http.Request) {
			s.serveWhole(&overriding{w, func(h http.Header) { h.Set("Content-Encoding", "gzip") }}, r)
		}, "", "", storage.ObjectSpec{ContentEncoding: "gzip"}},
	}
}

// overriding changes the headers just before they are sent.
type overriding struct {
	http.ResponseWriter
	change func(http.Header)
}

func (o *overriding) WriteHeader(status int) {
	o.change(o.Header())
	o.ResponseWriter.WriteHeader(status)
}

func (o *overriding) Write(p []byte) (int, error) {
	if o.Header().Get("Date") == "" {
		o.change(o.Header())
	}
	return o.ResponseWriter.Write(p)
}

// closing ends a body early without a reset.
type closing struct {
	http.ResponseWriter
	left int
}

func (c *closing) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left <= 0 && err == nil {
		err = io.ErrClosedPipe
	}
	return n, err
}

func TestFaultySourceIsNotTrusted(t *testing.T) {
	for _, size := range []int{2000, 6 * partSize} {
		for _, ranges := range []string{"bytes", "none"} {
			for name, l := range lies() {
				t.Run(fmt.Sprintf("%s of %d bytes, ranges %s", name, size, ranges), func(t *testing.T) {
					r := inMemory(t, size)
					header := http.Header{}
					if ranges == "none" {
						header.Set("Accept-Ranges", ranges)
					}
					r.use(t, way{header: header})
					r.faulty(t, l, ranges == "bytes" && size > copier.Small)
				})
			}
		}
	}
}

// faulty copies from a source that lies, and again after it recovered if the first copy failed.
func (r *fixture) faulty(t *testing.T, l lie, parallel bool) {
	t.Helper()
	var lied atomic.Int64
	r.source.serve = func(w http.ResponseWriter, req *http.Request, n int64) {
		if n == 5 || !parallel {
			lied.Add(1)
			l.serve(r.source, w, req)
			return
		}
		r.source.serveWhole(w, req)
	}
	class, described := l.whole, l.described
	if parallel {
		class, described = l.part, storage.ObjectSpec{}
	}
	_, err := r.attempt(t)
	require.Positive(t, lied.Load())
	if class == "" {
		require.NoError(t, err)
		r.requireExact(t)
		r.requireDescribed(t, described)
		return
	}
	var failure *origin.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, class, failure.Class)
	if failure.Status == http.StatusServiceUnavailable {
		require.Equal(t, 7*time.Second, failure.RetryAfter)
	}
	r.requireAbsent(t)

	// The source recovers.
	r.source.change(func() { r.source.serve = nil })
	out, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
	r.requireDescribed(t, storage.ObjectSpec{})
	require.EqualValues(t, len(r.source.body), out.Fetched+out.Resumed)
	require.Equal(t, parallel, out.Resumed > 0)
}

// requireDescribed checks the description of the object, which is that of a good source except for
// the given fields.
func (r *fixture) requireDescribed(t *testing.T, want storage.ObjectSpec) {
	t.Helper()
	got, ok := r.memory.Spec(r.key)
	require.True(t, ok)
	require.Equal(t, "application/x-test", got.ContentType)
	require.Equal(t, want.ContentEncoding, got.ContentEncoding)
	require.Equal(t, cmp.Or(want.Metadata[metadataETag], `"one"`), got.Metadata[metadataETag])
}

func TestSourceThatIgnoresRangesIsReadAsOneStream(t *testing.T) {
	r := inMemory(t, 4*partSize)
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		req.Header.Del("Range")
		r.source.serveWhole(w, req)
	}
	out, err := r.attempt(t)
	require.NoError(t, err)
	require.Equal(t, copier.WayStream, out.Way)
	require.NotEmpty(t, out.Restarted)
	r.requireExact(t)
}

// TestSourceThatSendsAnotherRangeIsRefused has a source that answers even a plain GET with a range.
func TestSourceThatSendsAnotherRangeIsRefused(t *testing.T) {
	r := inMemory(t, 4*partSize)
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		req.Header.Set("Range", "bytes=0-"+strconv.Itoa(partSize-1))
		r.source.serveWhole(w, req)
	}
	_, err := r.attempt(t)
	var failure *origin.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, origin.ClassBadHTTPStatus, failure.Class)
	require.Equal(t, http.StatusPartialContent, failure.Status)
	r.requireNothing(t)
}

func TestStalledSourceIsCut(t *testing.T) {
	for name, pause := range map[string]time.Duration{"sends nothing": time.Hour, "trickles": 30 * time.Millisecond} {
		for _, ranges := range []string{"bytes", "none"} {
			t.Run(name+", ranges "+ranges, func(t *testing.T) {
				r := inMemory(t, 4*partSize)
				if ranges == "none" {
					r.source.header = func(h http.Header) { h.Set("Accept-Ranges", ranges) }
				}
				r.newJob(t)
				r.StallTimeout, r.MinRate = 300*time.Millisecond, 1000
				r.source.serve = func(w http.ResponseWriter, req *http.Request, n int64) {
					if n == 1 {
						w = &trickling{w, req, pause}
					}
					r.source.serveWhole(w, req)
				}
				_, err := r.attempt(t)
				require.ErrorIs(t, err, copier.ErrStalled)
				r.source.change(func() { r.source.serve = nil })
				out, err := r.attempt(t)
				require.NoError(t, err)
				r.requireExact(t)
				if ranges == "bytes" {
					require.Positive(t, out.Resumed, "stored parts were fetched again")
				}
			})
		}
	}
}

// trickling sends one byte at a time, with a pause after each.
type trickling struct {
	http.ResponseWriter
	r     *http.Request
	pause time.Duration
}

func (s *trickling) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := s.ResponseWriter.Write(p[i : i+1]); err != nil {
			return i, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		select {
		case <-s.r.Context().Done():
			return i, s.r.Context().Err()
		case <-time.After(s.pause):
		}
	}
	return len(p), nil
}

// TestSlowSourceIsNotCut shows that the stall timeout does not limit the whole copy.
func TestSlowSourceIsNotCut(t *testing.T) {
	r := inMemory(t, 20)
	r.StallTimeout = 200 * time.Millisecond
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		r.source.serveWhole(&trickling{w, req, 50 * time.Millisecond}, req)
	}
	_, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
}

// TestFaultyBucket makes each call fail once, in each way.
func TestFaultyBucket(t *testing.T) {
	drop := func(r *fixture, is func(*http.Request) bool) {
		r.proxy.Response = func(resp *http.Response) error {
			if is(resp.Request) {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
	}
	lose := func(r *fixture, is func(*http.Request) bool) {
		r.proxy.Request = func(req *http.Request) bool { return !is(req) }
	}
	for name, fault := range map[string]func(r *fixture, is func(*http.Request) bool){
		"the reply is lost":   drop,
		"the request is lost": lose,
		"answered with 503": func(r *fixture, is func(*http.Request) bool) {
			r.proxy.Response = func(resp *http.Response) error {
				if is(resp.Request) {
					resp.StatusCode, resp.Body = 503, io.NopCloser(strings.NewReader("<Error><Code>SlowDown</Code></Error>"))
					resp.ContentLength = -1
					resp.Header.Del("Content-Length")
				}
				return nil
			}
		},
		"a byte is flipped": func(r *fixture, is func(*http.Request) bool) {
			r.proxy.Request = func(req *http.Request) bool {
				if is(req) && req.ContentLength > 0 {
					data, _ := io.ReadAll(req.Body)
					data[len(data)/2] ^= 1
					req.Body = io.NopCloser(bytes.NewReader(data))
				}
				return true
			}
		},
		"answered with 200 and an error": func(r *fixture, is func(*http.Request) bool) {
			r.proxy.Request = func(req *http.Request) bool {
				if is(req) {
					req.URL.Path += "-nothing" // So that the server does not execute it
				}
				return true
			}
			r.proxy.Response = func(resp *http.Response) error {
				if storagetest.Call(resp.Request) == storagetest.CallComplete && strings.HasSuffix(resp.Request.URL.Path, "-nothing") {
					resp.StatusCode = http.StatusOK
					resp.Body = io.NopCloser(strings.NewReader("<Error><Code>InternalError</Code><Message>sorry</Message></Error>"))
					resp.ContentLength = -1
					resp.Header.Del("Content-Length")
				}
				return nil
			}
		},
		"the upload is gone": func(r *fixture, is func(*http.Request) bool) {
			r.proxy.Request = func(req *http.Request) bool {
				if id := req.URL.Query().Get("uploadId"); id != "" && is(req) {
					_, _ = r.direct.AbortMultipartUpload(req.Context(), &s3.AbortMultipartUploadInput{
						Bucket: &r.pool.Bucket, Key: &r.key, UploadId: &id,
					})
				}
				return true
			}
		},
	} {
		for _, call := range []string{storagetest.CallCreate, storagetest.CallPart, storagetest.CallComplete, storagetest.CallPut} {
			inParts := call == storagetest.CallPart || call == storagetest.CallComplete
			if name == "the upload is gone" && !inParts || name == "answered with 200 and an error" && call != storagetest.CallComplete {
				continue
			}
			t.Run(call+", "+name, func(t *testing.T) {
				size := 3*partSize + 5
				if call == storagetest.CallPut {
					size = 2000
				}
				onServers(t, size, func(t *testing.T, r *fixture) {
					var calls, hit atomic.Int64
					fault(r, func(req *http.Request) bool {
						if storagetest.Call(req) != call || hit.Load() > 0 || call == storagetest.CallPart && calls.Add(1) < 3 {
							return false
						}
						hit.Add(1)
						return true
					})
					tries := 0
					for err := error(nil); ; {
						tries++
						require.LessOrEqual(t, tries, 3, "%v", err)
						if _, err = r.attempt(t); err == nil {
							break
						}
						require.ErrorIs(t, err, copier.ErrBucket)
						r.replaces(t)
					}
					require.Positive(t, hit.Load(), "the fault did not happen")
					again, most := r.source.sentBytes()-int64(size), int64(inFlight*partSize)
					switch {
					case name == "the upload is gone":
						// If a part is in flight during the abort, versitygw revives the upload
						// without its other parts. The copy resumes it and finds at Complete that
						// it is useless, or leaves it to the sweep.
						require.NoError(t, copier.AbortUploads(t.Context(), r.Bucket, storage.Upload{Key: r.key}))
						most = 2 * int64(size)
					case call == storagetest.CallComplete && name == "a byte is flipped":
						most = int64(size)
					}
					r.requireExact(t)
					require.LessOrEqual(t, again, most)
				})
			})
		}
	}
}

// replaces HEADs the bucket before another try, like StreamCopy.
func (r *fixture) replaces(t *testing.T) {
	t.Helper()
	if out, err := r.direct.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &r.pool.Bucket, Key: &r.key}); err == nil {
		r.replaced = *out.ETag
	}
}

func TestOtherUploadsUnderTheKeyAreAborted(t *testing.T) {
	onServers(t, 4*partSize, func(t *testing.T, r *fixture) {
		own := r.spec(r.job.Meta)
		neighbour := own
		neighbour.Key += "-more"
		for _, in := range []storage.ObjectSpec{own, own, neighbour} {
			_, err := r.Bucket.CreateUpload(t.Context(), in)
			require.NoError(t, err)
		}
		_, err := r.attempt(t)
		require.NoError(t, err)
		open, err := r.Bucket.ListUploads(t.Context(), neighbour.Key)
		require.NoError(t, err)
		require.Len(t, open, 1)
		require.NoError(t, r.Bucket.AbortUpload(t.Context(), open[0]))
		r.requireExact(t)
	})
}
