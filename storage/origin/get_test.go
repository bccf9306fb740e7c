package origin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

const content = "0123456789"

// serveContent serves content as net/http does, with ranges, validators and preconditions.
func serveContent(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	modified, _ := http.ParseTime(objectDate)
	http.ServeContent(w, r, "object.txt", modified, strings.NewReader(content))
}

func TestHeadThenGet(t *testing.T) {
	for name, server := range map[string]*source{"http": newSource(t, serveContent), "https": newTLSSource(t, serveContent)} {
		t.Run(name, func(t *testing.T) {
			client, ctx, url := newClient(t, nil), testContext(t), server.URL+"/object.txt?"+secret
			meta, err := client.Head(ctx, url)
			require.NoError(t, err)
			require.EqualValues(t, len(content), meta.Size)
			require.True(t, meta.Rangeable())

			whole, err := client.Get(ctx, url, meta)
			require.NoError(t, err)
			require.True(t, whole.Framed())
			require.EqualValues(t, len(content), whole.Size())
			require.NoError(t, iotest.TestReader(whole, []byte(content)))
			require.NoError(t, whole.Close())

			for off := range int64(len(content)) {
				for n := int64(1); off+n <= int64(len(content)); n++ {
					part, err := client.GetRange(ctx, url, meta, off, n)
					require.NoError(t, err)
					require.True(t, part.Framed())
					require.Equal(t, n, part.Size())
					got, err := io.ReadAll(part)
					require.NoError(t, err)
					require.Equal(t, content[off:off+n], string(got))
					require.NoError(t, part.Close())
				}
			}
		})
	}
}

func TestGetRangeOutsideTheObject(t *testing.T) {
	canary := newSource(t, serveContent)
	client := newClient(t, nil)
	for _, r := range [][2]int64{{-1, 1}, {0, 0}, {0, -1}, {0, 11}, {10, 1}, {9, 2}, {1 << 62, 1 << 62}, {1, 1<<63 - 1}} {
		_, err := client.GetRange(testContext(t), canary.URL+"/", origin.Meta{Size: 10, ETag: `"v1"`}, r[0], r[1])
		requireFailure(t, err, origin.ClassUnverifiable, true)
	}
	_, err := client.GetRange(testContext(t), canary.URL+"/", origin.Meta{Size: -1, ETag: `"v1"`}, 0, 1)
	requireFailure(t, err, origin.ClassUnverifiable, true)
	assert.Zero(t, canary.hits.Load())
	part, err := client.GetRange(testContext(t), canary.URL+"/", origin.Meta{Size: 10, ETag: `"v1"`}, 9, 1)
	require.NoError(t, err, "positive control")
	require.NoError(t, part.Close())
	assert.EqualValues(t, 1, canary.hits.Load())
}

// TestRangesNeedAStrongETag: only a strong ETag tells ranges of two versions apart.
func TestRangesNeedAStrongETag(t *testing.T) {
	canary := newSource(t, serveContent)
	client := newClient(t, nil)
	for _, tt := range []struct {
		name      string
		meta      origin.Meta
		rangeable bool
		hits      int64
	}{
		{"a strong etag", origin.Meta{Size: 10, ETag: `"v1"`, AcceptRanges: true}, true, 1},
		{"no Accept-Ranges", origin.Meta{Size: 10, ETag: `"v1"`}, false, 1},
		{"a weak etag", origin.Meta{Size: 10, ETag: `W/"v1"`, LastModified: objectDate, AcceptRanges: true}, false, 0},
		{"an etag without quotes", origin.Meta{Size: 10, ETag: "v1", AcceptRanges: true}, false, 0},
		{"a date only", origin.Meta{Size: 10, LastModified: objectDate, AcceptRanges: true}, false, 0},
		{"an empty object", origin.Meta{ETag: `"v1"`, AcceptRanges: true}, false, 0},
		{"an unknown size", origin.Meta{Size: -1, ETag: `"v1"`, AcceptRanges: true}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			canary.hits.Store(0)
			assert.Equal(t, tt.rangeable, tt.meta.Rangeable())
			part, err := client.GetRange(testContext(t), canary.URL+"/", tt.meta, 0, 1)
			assert.Equal(t, tt.hits, canary.hits.Load())
			if tt.hits == 0 {
				requireFailure(t, err, origin.ClassUnverifiable, true)
				return
			}
			require.NoError(t, err)
			require.NoError(t, part.Close())
		})
	}
}

// TestGetValidatesTheResponse sends one response per case, byte for byte, to the GET of an object
// that HEAD described as want.
func TestGetValidatesTheResponse(t *testing.T) {
	sized := origin.Meta{Size: 10}
	tagged := origin.Meta{Size: 10, ETag: `"v1"`}
	unsized := origin.Meta{Size: -1}
	for _, tt := range []struct {
		name   string
		want   origin.Meta
		reset  bool
		answer string
		class  origin.Class // "" is success
	}{
		{"the whole body", sized, false, "200 OK\r\nContent-Length: 10\r\n\r\n0123456789", ""},
		{"the whole body in chunks", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", ""},
		{"chunks of an unknown size", unsized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", ""},
		{"neither length nor chunking, of a known size", sized, false, "200 OK\r\nConnection: close\r\n\r\n0123456789", ""},
		{"a length where HEAD had none", unsized, false, "200 OK\r\nContent-Length: 10\r\n\r\n0123456789", ""},
		{"the same etag", tagged, false, "200 OK\r\nETag: \"v1\"\r\nContent-Length: 10\r\n\r\n0123456789", ""},
		{"a weak etag is not compared", origin.Meta{Size: 10, ETag: `W/"v1"`}, false, "200 OK\r\nETag: W/\"v2\"\r\nContent-Length: 10\r\n\r\n0123456789", ""},

		{"a body that ends short of its length", sized, false, "200 OK\r\nContent-Length: 10\r\n\r\n012345678", origin.ClassTruncated},
		{"an over-declared length", unsized, false, "200 OK\r\nContent-Length: 11\r\n\r\n0123456789", origin.ClassTruncated},
		{"neither length nor chunking, cut short", sized, false, "200 OK\r\nConnection: close\r\n\r\n01234", origin.ClassTruncated},
		{"neither length nor chunking, too long", sized, false, "200 OK\r\nConnection: close\r\n\r\n0123456789a", origin.ClassTruncated},
		{"neither length nor chunking, reset", unsized, true, "200 OK\r\n\r\n01234", origin.ClassTruncated},
		{"chunks that are reset", unsized, true, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", origin.ClassTruncated},
		{"a connection closed within a chunk", unsized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n01234", origin.ClassTruncated},
		{"a body that is reset", sized, true, "200 OK\r\nContent-Length: 10\r\n\r\n012345678", origin.ClassTruncated},
		{"chunks that end short of the size", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n0\r\n\r\n", origin.ClassTruncated},
		{"chunks that break off", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", origin.ClassTruncated},
		{"chunks that break off at the size", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n", origin.ClassTruncated},
		{"chunks of unknown size that break off", unsized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", origin.ClassTruncated},
		{"chunks that echo the query", unsized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n", origin.ClassTruncated},
		{"chunks that continue past the size", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n", origin.ClassTruncated},
		{"chunks for an empty object", origin.Meta{}, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n", origin.ClassTruncated},

		{"a shorter length", sized, false, "200 OK\r\nContent-Length: 5\r\n\r\n01234", origin.ClassChanged},
		{"a longer length", sized, false, "200 OK\r\nContent-Length: 11\r\n\r\n0123456789a", origin.ClassChanged},
		{"an under-declared length", sized, false, "200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n0123456789", origin.ClassChanged},
		{"another etag", tagged, false, "200 OK\r\nETag: \"v2\"\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},
		{"a weak etag in place of the strong one", tagged, false, "200 OK\r\nETag: W/\"v1\"\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},
		{"no etag any more", tagged, false, "200 OK\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},
		{"412 to If-Match", tagged, false, "412 No\r\nContent-Length: 0\r\n\r\n", origin.ClassChanged},
		{"gzip only in GET", sized, false, "200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},
		{"gzip only in HEAD", origin.Meta{Size: 10, ContentEncoding: "gzip"}, false, "200 OK\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},

		{"an unasked 206", sized, false, "206 Partial\r\nContent-Range: bytes 0-9/20\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassBadHTTPStatus},
		{"204", origin.Meta{}, false, "204 No Content\r\n\r\n", origin.ClassBadHTTPStatus},
		{"304", tagged, false, "304 Not Modified\r\nETag: \"v1\"\r\n\r\n", origin.ClassBadHTTPStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := newRawSource(t, tt.reset, "HTTP/1.1 "+tt.answer)
			body, err := newClient(t, nil).Get(testContext(t), url, tt.want)
			requireBody(t, body, err, content, tt.class)
		})
	}
}

func TestGetRangeValidatesTheResponse(t *testing.T) {
	want := origin.Meta{Size: 10, ETag: `"v1"`}
	const v1 = "ETag: \"v1\"\r\n"
	for _, tt := range []struct {
		name   string
		answer string
		class  origin.Class
	}{
		{"the range", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", ""},
		{"the range in chunks", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n234\r\n0\r\n\r\n", ""},
		{"neither length nor chunking, of a known size", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\n\r\n234", ""},

		{"no Content-Range", "206 P\r\n" + v1 + "Content-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"another range of that length", "206 P\r\n" + v1 + "Content-Range: bytes 3-5/10\r\nContent-Length: 3\r\n\r\n345", origin.ClassUnverifiable},
		{"another start", "206 P\r\n" + v1 + "Content-Range: bytes 3-4/10\r\nContent-Length: 2\r\n\r\n34", origin.ClassUnverifiable},
		{"another end", "206 P\r\n" + v1 + "Content-Range: bytes 2-5/10\r\nContent-Length: 4\r\n\r\n2345", origin.ClassUnverifiable},
		{"another start, of the requested length", "206 P\r\n" + v1 + "Content-Range: bytes 1-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"another end, of the requested length", "206 P\r\n" + v1 + "Content-Range: bytes 2-5/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"no total", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/*\r\nContent-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"another unit", "206 P\r\n" + v1 + "Content-Range: lines 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"a signed number", "206 P\r\n" + v1 + "Content-Range: bytes +2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"a length that contradicts the range", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 2\r\n\r\n23", origin.ClassUnverifiable},
		{"an over-declared length", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 4\r\n\r\n234", origin.ClassUnverifiable},

		{"another total", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/11\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"another etag", "206 P\r\nETag: \"v2\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"a weak etag in place of the strong one", "206 P\r\nETag: W/\"v1\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"no etag any more", "206 P\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"gzip only in GET", "206 P\r\n" + v1 + "Content-Encoding: gzip\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"412 to If-Match", "412 No\r\nContent-Length: 0\r\n\r\n", origin.ClassChanged},
		{"416 within the size", "416 No\r\nContent-Range: bytes */1\r\nContent-Length: 0\r\n\r\n", origin.ClassChanged},

		{"cut short", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n23", origin.ClassTruncated},
		{"neither length nor chunking, cut short", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\n\r\n23", origin.ClassTruncated},
		{"neither length nor chunking, too long", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\n\r\n2345", origin.ClassTruncated},
		{"chunks past the end", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n2345\r\n0\r\n\r\n", origin.ClassTruncated},
		{"the whole object", "200 OK\r\n" + v1 + "Content-Length: 10\r\n\r\n0123456789", origin.ClassBadHTTPStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := newClient(t, nil).GetRange(testContext(t), newRawSource(t, false, "HTTP/1.1 "+tt.answer), want, 2, 3)
			requireBody(t, body, err, content[2:5], tt.class)
		})
	}
}

// TestHTTP2IsNotUsed: parallel ranges must not share a connection, and so neither a TCP window nor
// a cap per connection.
func TestHTTP2IsNotUsed(t *testing.T) {
	var proto string
	server := newTLSSource(t, func(_ http.ResponseWriter, r *http.Request) { proto = r.Proto })
	_, err := newClient(t, nil).Head(testContext(t), server.URL+"/")
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1", proto)

	req, err := http.NewRequestWithContext(testContext(t), http.MethodHead, server.URL, nil)
	require.NoError(t, err)
	resp, err := (&http.Transport{ForceAttemptHTTP2: true}).RoundTrip(req)
	require.NoError(t, err, "positive control")
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "HTTP/2.0", proto, "positive control")
}

func TestFraming(t *testing.T) {
	const chunked = "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"
	for _, tt := range []struct {
		name   string
		want   int64 // the size by HEAD
		answer string
		framed bool
		size   int64
		got    string
	}{
		{"a length", 10, "Content-Length: 10\r\n\r\n0123456789", true, 10, content},
		{"a length from GET only", -1, "Content-Length: 10\r\n\r\n0123456789", true, 10, content},
		{"a zero length from GET only", -1, "Content-Length: 0\r\n\r\n", true, 0, ""},
		{"chunks of a known size", 10, chunked, true, 10, content},
		{"chunks of an unknown size", -1, chunked, true, -1, content},
		{"only a known size", 10, "\r\n0123456789", true, 10, content},
		{"no framing", -1, "\r\n0123456789", false, -1, content},
		{"no framing, cut short unnoticed", -1, "\r\n01234", false, -1, content[:5]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := newRawSource(t, false, "HTTP/1.1 200 OK\r\n"+tt.answer)
			body, err := newClient(t, nil).Get(testContext(t), url, origin.Meta{Size: tt.want})
			require.NoError(t, err)
			assert.Equal(t, tt.framed, body.Framed())
			assert.Equal(t, tt.size, body.Size())
			requireBody(t, body, err, tt.got, "")
			assert.Equal(t, tt.size, body.Size(), "reading does not change Size")
		})
	}
}

func TestIfMatchIsSentForAStrongETagOnly(t *testing.T) {
	for etag, want := range map[string]string{`"v1"`: `"v1"`, `W/"v1"`: "", "v1": "", "": "", `"`: ""} {
		t.Run(etag, func(t *testing.T) {
			var got string
			server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("If-Match")
				w.Header().Set("ETag", etag)
			})
			body, err := newClient(t, nil).Get(testContext(t), server.URL+"/", origin.Meta{ETag: etag})
			require.NoError(t, err)
			require.NoError(t, body.Close())
			assert.Equal(t, want, got)
		})
	}
}

func TestContentCodingsAreNotDecoded(t *testing.T) {
	var compressed bytes.Buffer
	gz := gzip.NewWriter(&compressed)
	_, err := gz.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, gz.Close())
	sum := md5.Sum(compressed.Bytes())
	server := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		w.Header().Set("Content-Length", strconv.Itoa(compressed.Len()))
		_, _ = w.Write(compressed.Bytes())
	})
	client := newClient(t, nil)
	meta, err := client.Head(testContext(t), server.URL+"/")
	require.NoError(t, err)
	require.Equal(t, "gzip", meta.ContentEncoding)
	require.Equal(t, []origin.Digest{{Algorithm: "md5", Value: sum[:]}}, meta.Digests)
	body, err := client.Get(testContext(t), server.URL+"/", meta)
	requireBody(t, body, err, compressed.String(), "")
}

func TestCancelledReadReturnsTheContextError(t *testing.T) {
	server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, content[:5])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(testContext(t))
	body, err := newClient(t, nil).Get(ctx, server.URL+"/?"+secret, origin.Meta{Size: 10})
	require.NoError(t, err)
	_, err = io.ReadFull(body, make([]byte, 5))
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(body)
	require.ErrorIs(t, err, context.Canceled)
	var failure *origin.Error
	assert.NotErrorAs(t, err, &failure)
	requireNoSecret(t, err)
	require.NoError(t, body.Close())
}
