package copier_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// answer is a response to a request for a range.
type answer func(s *source, w http.ResponseWriter, r *http.Request)

// status answers with a status.
func status(code int) answer {
	return func(_ *source, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"one"`)
		w.WriteHeader(code)
	}
}

// changing answers with the range, and other headers.
func changing(change func(h http.Header, first, last, size int64)) answer {
	return func(s *source, w http.ResponseWriter, r *http.Request) {
		first, last := bounds(r)
		s.serveWhole(&overriding{w, func(h http.Header) { change(h, first, last, int64(len(s.body))) }}, r)
	}
}

// bounds returns the requested range.
func bounds(r *http.Request) (first, last int64) {
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil {
		panic(err)
	}
	return first, last
}

// hangUp closes the connection after some bytes.
func hangUp(sent string) answer {
	return func(_ *source, w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(buf, sent)
		_ = buf.Flush()
		_ = conn.Close()
	}
}

func contentRange(h http.Header, first, last int64, total string) {
	h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", first, last, total))
}

// refusals lists the ways in which a source may refuse a range.
func refusals(t *testing.T) map[string]answer {
	t.Helper()
	closedPort, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closedPort.Close())
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	var tags atomic.Int64
	all := map[string]answer{
		"200": func(s *source, w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			s.serveWhole(w, r)
		},
		"206 with everything": func(s *source, w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=0-")
			s.serveWhole(w, r)
		},
		"206 with other bytes": func(s *source, w http.ResponseWriter, r *http.Request) {
			first, last := bounds(r)
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", max(first-1, 0), last-1))
			s.serveWhole(w, r)
		},
		"206 with a wrong Content-Range": changing(func(h http.Header, first, last, size int64) {
			contentRange(h, first+1, last+1, number(size))
		}),
		"206 without Content-Range": changing(func(h http.Header, _, _, _ int64) { h.Del("Content-Range") }),
		"206 with an unknown total": changing(func(h http.Header, first, last, _ int64) { contentRange(h, first, last, "*") }),
		"206 with another total": changing(func(h http.Header, first, last, size int64) {
			contentRange(h, first, last, number(size+1))
		}),
		"206 with a shorter length": func(s *source, w http.ResponseWriter, r *http.Request) {
			first, last := bounds(r)
			w.Header().Set("Etag", `"one"`)
			contentRange(w.Header(), first, last, number(int64(len(s.body))))
			w.Header().Set("Content-Length", number(last-first))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(s.body[first:last])
		},
		"another ETag for each request": changing(func(h http.Header, _, _, _ int64) {
			h.Set("Etag", strconv.Quote(number(tags.Add(1))))
		}),
		"a weak ETag":         changing(func(h http.Header, _, _, _ int64) { h.Set("Etag", `W/"one"`) }),
		"no ETag":             changing(func(h http.Header, _, _, _ int64) { h.Del("Etag") }),
		"another coding":      changing(func(h http.Header, _, _, _ int64) { h.Set("Content-Encoding", "gzip") }),
		"hang-up":             hangUp(""),
		"hang-up in the head": hangUp("HTTP/1.1 206 Partial Content\r\nContent-Ra"),
		"a refused connection": func(_ *source, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+closedPort.Addr().String()+"/", http.StatusFound)
		},
	}
	for _, code := range []int{204, 304, 400, 403, 404, 410, 412, 416, 429, 500, 501, 503} {
		all[strconv.Itoa(code)] = status(code)
	}
	return all
}

// TestRefusedRangesLeaveAPlainGET stores exactly the object that a single plain GET returns, described by
// the headers of that response.
func TestRefusedRangesLeaveAPlainGET(t *testing.T) {
	t.Parallel()
	for when, good := range map[string]int64{"always": 0, "after two parts": 2} {
		for name, refuse := range refusals(t) {
			if good > 0 && waits(name) {
				continue
			}
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				r := inMemory(t, 4*partSize+1)
				var served atomic.Int64
				r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
					switch {
					case !isRange(req):
						describedBy(w, req, r.source, r.source.plain())
					case served.Add(1) <= good:
						r.source.serveWhole(w, req)
					default:
						refuse(r.source, w, req)
					}
				}
				out, err := r.attempt(t)
				require.NoError(t, err)
				require.Positive(t, r.source.ranges.Load(), "no range was requested")
				r.requireExact(t)
				require.EqualValues(t, 1, r.source.plain())
				spec, _ := r.memory.Spec(r.key)
				require.Equal(t, "text/get-1", spec.ContentType)
				require.Equal(t, copier.WayStream, out.Way)
				require.Contains(t, out.Restarted, "host 127.0.0.1", "the reason of the restart")
				require.Zero(t, out.Resumed)
				require.True(t, r.saved.Load().Stream, "a later try would request ranges again")
			})
		}
	}
}

// waits reports whether the copier waits for 7 s before it believes a refusal by a source that served
// ranges before. Two cases of these, 503 and hang-up, are enough.
func waits(refusal string) bool {
	switch refusal {
	case "403", "429", "500", "hang-up in the head", "a refused connection":
		return true
	}
	return false
}

// describedBy answers the nth plain GET. The response has n in its type.
func describedBy(w http.ResponseWriter, r *http.Request, s *source, n int64) {
	s.serveWhole(&overriding{w, func(h http.Header) { h.Set("Content-Type", fmt.Sprintf("text/get-%d", n)) }}, r)
}

// TestRangesThatAreCorruptLeadToAStream serves ranges with a wrong byte. The next try reads one
// stream.
func TestRangesThatAreCorruptLeadToAStream(t *testing.T) {
	r := inMemory(t, 4*partSize)
	sum := sha256Of(r.source.body)
	r.use(t, way{header: http.Header{"Repr-Digest": {"sha-256=:" + sum + ":"}}})
	wrong := append([]byte(nil), r.source.body...)
	wrong[2*partSize] ^= 1
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		if isRange(req) {
			r.source.serveVersion(w, req, wrong, `"one"`)
			return
		}
		r.source.serveWhole(w, req)
	}
	_, err := r.attempt(t)
	var failure *origin.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, origin.ClassCorrupt, failure.Class)
	require.Equal(t, copier.State{Stream: true}, *r.saved.Load())
	r.requireAbsent(t)
	require.Zero(t, r.open(t))

	r.source.forget()
	out, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
	require.Equal(t, copier.WayStream, out.Way)
	require.NotEmpty(t, out.Restarted)
	require.Zero(t, r.source.ranges.Load())
}

// TestStreamStateIsAStream resumes a state of a stream, although the source serves ranges.
func TestStreamStateIsAStream(t *testing.T) {
	r := inMemory(t, 3*partSize)
	r.saved.Store(&copier.State{Stream: true})
	r.memory.OnPart = func(int32) error { return errDown }
	_, err := r.attempt(t)
	require.ErrorIs(t, err, errDown)
	require.True(t, r.saved.Load().Stream, "the next try would request ranges")
	r.memory.OnPart = nil
	out, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
	require.Equal(t, copier.WayStream, out.Way)
	require.Zero(t, r.source.ranges.Load())
	require.EqualValues(t, 2, r.source.plain())
}

// TestRefusedRangesStayAStream has uploads of earlier copies to abort, and fails during the first
// part of the stream. The next try must not request ranges again.
func TestRefusedRangesStayAStream(t *testing.T) {
	r := inMemory(t, 3*partSize)
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		if isRange(req) {
			w.WriteHeader(http.StatusNotImplemented)
			return
		}
		r.source.serveWhole(&breaking{w, 1000}, req)
	}
	_, err := r.attempt(t)
	var failure *origin.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, origin.ClassUnreachable, failure.Class)
	require.Positive(t, r.source.ranges.Load())
	r.source.change(func() { r.source.serve = nil })
	r.source.forget()
	out, err := r.attempt(t)
	require.NoError(t, err)
	require.Zero(t, r.source.ranges.Load())
	require.Equal(t, copier.WayStream, out.Way)
	r.requireExact(t)
}

// TestRefusalNamesNoSecret refuses a range of a URL with a signature.
func TestRefusalNamesNoSecret(t *testing.T) {
	r := inMemory(t, 3*partSize)
	r.job.URL += "?sig=secret"
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		if isRange(req) {
			w.Header().Set("X-Echo", req.URL.RawQuery)
			http.Error(w, strings.Repeat(req.URL.RawQuery, 10), http.StatusForbidden)
			return
		}
		r.source.serveWhole(w, req)
	}
	out, err := r.attempt(t)
	require.NoError(t, err)
	require.Equal(t, copier.WayStream, out.Way)
	require.Contains(t, out.Restarted, "403")
	require.NotContains(t, out.Restarted, "secret")
}
