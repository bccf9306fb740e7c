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

func TestRequests(t *testing.T) {
	for name, server := range map[string]*source{"http": newSource(t, serveContent), "https": newTLSSource(t, serveContent)} {
		t.Run(name, func(t *testing.T) {
			client, ctx, url := newClient(t, nil), testContext(t), server.URL+"/object.txt?"+secret
			meta, err := describe(t, client, url)
			require.NoError(t, err)
			require.EqualValues(t, len(content), meta.Size)
			require.True(t, meta.Rangeable())

			for _, request := range requests[:2] {
				whole, err := request.send(ctx, client, url)
				require.NoError(t, err)
				require.Equal(t, meta, whole.Meta())
				require.True(t, whole.Framed())
				require.EqualValues(t, len(content), whole.Size())
				require.NoError(t, iotest.TestReader(whole, []byte(content)))
				require.NoError(t, whole.Close())
			}

			for off := range int64(len(content)) {
				for n := int64(1); off+n <= int64(len(content)); n++ {
					part, err := client.GetRange(ctx, url, meta, off, n)
					require.NoError(t, err)
					require.Equal(t, meta, part.Meta())
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
		_, err := client.GetRange(testContext(t), canary.URL+"/", contentMeta, r[0], r[1])
		requireFailure(t, err, origin.ClassUnverifiable, true)
	}
	_, err := client.GetRange(testContext(t), canary.URL+"/", origin.Meta{Size: -1, ETag: `"v1"`, AcceptRanges: true}, 0, 1)
	requireFailure(t, err, origin.ClassUnverifiable, true)
	assert.Zero(t, canary.hits.Load())
	part, err := client.GetRange(testContext(t), canary.URL+"/", contentMeta, 9, 1)
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
		{"no Accept-Ranges", origin.Meta{Size: 10, ETag: `"v1"`}, false, 0},
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

// TestWholeObjectsAreValidated sends one response per case, byte for byte, to a plain GET.
func TestWholeObjectsAreValidated(t *testing.T) {
	for _, tt := range []struct {
		name   string
		reset  bool
		answer string
		class  origin.Class // "" is success
	}{
		{"the whole body", false, "200 OK\r\nContent-Length: 10\r\n\r\n0123456789", ""},
		{"the whole body in chunks", false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", ""},
		{"neither length nor chunking", false, "200 OK\r\nConnection: close\r\n\r\n0123456789", ""},
		{"chunking and a length", false, "200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", ""},
		{"a Content-Range of a 200 means nothing", false, "200 OK\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 10\r\n\r\n0123456789", ""},

		{"a body that ends short of its length", false, "200 OK\r\nContent-Length: 10\r\n\r\n012345678", origin.ClassTruncated},
		{"an over-declared length", false, "200 OK\r\nContent-Length: 11\r\n\r\n0123456789", origin.ClassTruncated},
		{"neither length nor chunking, reset", true, "200 OK\r\n\r\n01234", origin.ClassUnreachable},
		{"chunks that are reset", true, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", origin.ClassUnreachable},
		{"a connection closed within a chunk", false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n01234", origin.ClassTruncated},
		{"a body that is reset", true, "200 OK\r\nContent-Length: 10\r\n\r\n012345678", origin.ClassUnreachable},
		{"chunks that break off", false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", origin.ClassTruncated},
		{"chunks without the last one", false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n", origin.ClassTruncated},
		{"chunks that echo the query", false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n", origin.ClassTruncated},

		{"an unasked 206", false, "206 Partial\r\nContent-Range: bytes 0-9/20\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassBadHTTPStatus},
		{"an unasked 206 of everything", false, "206 Partial\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassBadHTTPStatus},
		{"204", false, "204 No Content\r\n\r\n", origin.ClassBadHTTPStatus},
		{"304", false, "304 Not Modified\r\nETag: \"v1\"\r\n\r\n", origin.ClassBadHTTPStatus},
	} {
		for _, request := range requests[:2] {
			t.Run(tt.name+", "+request.name, func(t *testing.T) {
				url := newRawSource(t, tt.reset, "HTTP/1.1 "+tt.answer)
				body, err := request.send(testContext(t), newClient(t, nil), url)
				requireBody(t, body, err, content, tt.class)
			})
		}
	}
}

// TestEachGetDescribesItsOwnObject: the response to a GET describes the object. Earlier responses do
// not count.
func TestEachGetDescribesItsOwnObject(t *testing.T) {
	server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Date"], h["Content-Type"] = nil, nil
		switch r.URL.Path {
		case "/v1":
			h.Set("ETag", `"v1"`)
			h.Set("Accept-Ranges", "bytes")
			h.Set("Content-Digest", "md5=:"+digestMD5+":")
			_, _ = io.WriteString(w, content)
		case "/v2":
			h.Set("ETag", `W/"v2"`)
			h.Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "shorter")
		}
	})
	client := newClient(t, nil)
	metas := map[string]origin.Meta{
		"/v1": {Size: 10, ETag: `"v1"`, AcceptRanges: true, Digests: digests(t, "md5")},
		"/v2": {Size: 7, ETag: `W/"v2"`, ContentEncoding: "gzip"},
	}
	for _, path := range []string{"/v1", "/v2", "/v1"} {
		for _, request := range requests[:2] {
			body, err := request.send(testContext(t), client, server.URL+path)
			require.NoError(t, err)
			want := metas[path]
			want.Addresses = []origin.Hop{{Host: server.Listener.Addr().String(), Status: 200}}
			want.Final = server.URL + path
			assert.Equal(t, want, body.Meta())
			requireBody(t, body, nil, map[string]string{"/v1": content, "/v2": "shorter"}[path], "")
		}
	}
	assert.EqualValues(t, 6, server.hits.Load(), "one request each")
}

// TestGetRangeValidatesTheResponse sends one response per case, byte for byte, to a request for
// bytes 2 to 4.
func TestGetRangeValidatesTheResponse(t *testing.T) {
	const v1 = "ETag: \"v1\"\r\n"
	const refused = origin.ClassRangeRefused
	for _, tt := range []struct {
		name   string
		answer string
		class  origin.Class
		why    string // of a refusal
	}{
		{"the range", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", "", ""},
		{"the range in chunks", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n234\r\n0\r\n\r\n", "", ""},
		{"neither length nor chunking, of a known size", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\n\r\n234", "", ""},

		{"no Content-Range", "206 P\r\n" + v1 + "Content-Length: 3\r\n\r\n234", refused, "wrong Content-Range"},
		{"another range of that length", "206 P\r\n" + v1 + "Content-Range: bytes 3-5/10\r\nContent-Length: 3\r\n\r\n345", refused, "wrong Content-Range"},
		{"another start", "206 P\r\n" + v1 + "Content-Range: bytes 3-4/10\r\nContent-Length: 2\r\n\r\n34", refused, "wrong Content-Range"},
		{"another end", "206 P\r\n" + v1 + "Content-Range: bytes 2-5/10\r\nContent-Length: 4\r\n\r\n2345", refused, "wrong Content-Range"},
		{"another start, of the requested length", "206 P\r\n" + v1 + "Content-Range: bytes 1-4/10\r\nContent-Length: 3\r\n\r\n234", refused, "wrong Content-Range"},
		{"another end, of the requested length", "206 P\r\n" + v1 + "Content-Range: bytes 2-5/10\r\nContent-Length: 3\r\n\r\n234", refused, "wrong Content-Range"},
		{"no total", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/*\r\nContent-Length: 3\r\n\r\n234", refused, "another total length"},
		{"another unit", "206 P\r\n" + v1 + "Content-Range: lines 2-4/10\r\nContent-Length: 3\r\n\r\n234", refused, "wrong Content-Range"},
		{"a signed number", "206 P\r\n" + v1 + "Content-Range: bytes +2-4/10\r\nContent-Length: 3\r\n\r\n234", refused, "wrong Content-Range"},
		{"a length that contradicts the range", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 2\r\n\r\n23", refused, "Content-Length and Content-Range disagree"},
		{"an over-declared length", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 4\r\n\r\n234", refused, "Content-Length and Content-Range disagree"},

		{"another total", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/11\r\nContent-Length: 3\r\n\r\n234", refused, "another total length"},
		{"another etag", "206 P\r\nETag: \"v2\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", refused, "another etag"},
		{"a weak etag in place of the strong one", "206 P\r\nETag: W/\"v1\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", refused, "another etag"},
		{"no etag any more", "206 P\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", refused, "another etag"},
		{"gzip only in the range", "206 P\r\n" + v1 + "Content-Encoding: gzip\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", refused, "another content encoding"},
		{"412", "412 No\r\nContent-Length: 0\r\n\r\n", refused, "status 412"},
		{"416 within the size", "416 No\r\nContent-Range: bytes */1\r\nContent-Length: 0\r\n\r\n", refused, "status 416"},
		{"the whole object", "200 OK\r\n" + v1 + "Content-Length: 10\r\n\r\n0123456789", refused, "status 200"},
		{"a 200 with the range", "200 OK\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", refused, "status 200"},
		{"404", "404 No\r\nContent-Length: 0\r\n\r\n", refused, "status 404"},
		{"503", "503 No\r\nContent-Length: 0\r\n\r\n", refused, "status 503"},

		{"cut short", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n23", origin.ClassTruncated, ""},
		{"neither length nor chunking, cut short", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\n\r\n23", origin.ClassTruncated, ""},
		{"neither length nor chunking, too long", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\n\r\n2345", origin.ClassTruncated, ""},
		{"chunks that end short of the range", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n23\r\n0\r\n\r\n", origin.ClassTruncated, ""},
		{"chunks that break off", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n23\r\n", origin.ClassTruncated, ""},
		{"chunks that break off at the size", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n234\r\n", origin.ClassTruncated, ""},
		{"chunks past the end", "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n2345\r\n0\r\n\r\n", origin.ClassTruncated, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := newClient(t, nil).GetRange(testContext(t), newRawSource(t, false, "HTTP/1.1 "+tt.answer), contentMeta, 2, 3)
			if tt.class == refused {
				failure := requireFailure(t, err, refused, false)
				assert.Contains(t, failure.Error(), " refused a range: "+tt.why)
				assert.Equal(t, tt.answer[:3], strconv.Itoa(failure.Status))
				assert.False(t, failure.Crowded, "no other request is in flight")
				assert.False(t, failure.AboutObject)
				return
			}
			require.NoError(t, err)
			assert.True(t, body.Framed())
			assert.EqualValues(t, 3, body.Size())
			requireBody(t, body, err, content[2:5], tt.class)
		})
	}
}

// TestRangesOfACodedObject: the content coding of the ranges must be the object's.
func TestRangesOfACodedObject(t *testing.T) {
	coded := contentMeta
	coded.ContentEncoding = "gzip"
	answer := "HTTP/1.1 206 P\r\nETag: \"v1\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n"
	body, err := newClient(t, nil).GetRange(testContext(t), newRawSource(t, false, answer+"Content-Encoding: gzip\r\n\r\n234"), coded, 2, 3)
	requireBody(t, body, err, content[2:5], "")
	_, err = newClient(t, nil).GetRange(testContext(t), newRawSource(t, false, answer+"\r\n234"), coded, 2, 3)
	failure := requireFailure(t, err, origin.ClassRangeRefused, false)
	assert.Contains(t, failure.Error(), "another content encoding")
}

// TestHTTP2IsNotUsed: parallel ranges must not share a connection, and so neither a TCP window nor
// a cap per connection.
func TestHTTP2IsNotUsed(t *testing.T) {
	var proto string
	server := newTLSSource(t, func(_ http.ResponseWriter, r *http.Request) { proto = r.Proto })
	_, err := describe(t, newClient(t, nil), server.URL+"/")
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
	for _, tt := range []struct {
		name   string
		answer string
		framed bool
		size   int64
		got    string
	}{
		{"a length", "Content-Length: 10\r\n\r\n0123456789", true, 10, content},
		{"a zero length", "Content-Length: 0\r\n\r\n", true, 0, ""},
		{"chunks", "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n", true, -1, content},
		{"no chunks", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, -1, ""},
		{"no framing", "\r\n0123456789", false, -1, content},
		{"no framing, cut short unnoticed", "\r\n01234", false, -1, content[:5]},
		{"an under-declared length, unnoticed", "Connection: close\r\nContent-Length: 5\r\n\r\n0123456789", true, 5, content[:5]},
	} {
		for _, request := range requests[:2] {
			t.Run(tt.name+", "+request.name, func(t *testing.T) {
				url := newRawSource(t, false, "HTTP/1.1 200 OK\r\n"+tt.answer)
				body, err := request.send(testContext(t), newClient(t, nil), url)
				require.NoError(t, err)
				assert.Equal(t, tt.framed, body.Framed())
				assert.Equal(t, tt.size, body.Size())
				assert.Equal(t, tt.size, body.Meta().Size)
				requireBody(t, body, err, tt.got, "")
				assert.Equal(t, tt.size, body.Size(), "reading does not change Size")
			})
		}
	}
}

// TestUnreadBodyCostsLittle: the source of a large object that is closed unread can send only what
// the kernel's buffers hold.
func TestUnreadBodyCostsLittle(t *testing.T) {
	const size, most = 64 << 20, 8 << 20
	sent := make(chan int64, 1)
	server := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		block := make([]byte, 32<<10)
		var total int64
		for total < size {
			n, err := w.Write(block)
			total += int64(n)
			if err != nil {
				break
			}
		}
		sent <- total
	})
	url := server.URL + "/"
	wrote := func() int64 {
		select {
		case n := <-sent:
			return n
		case <-testContext(t).Done():
			t.Fatal("the source is still sending")
			return 0
		}
	}

	meta, err := describe(t, newClient(t, nil), url)
	require.NoError(t, err)
	require.EqualValues(t, size, meta.Size)
	n := wrote()
	t.Logf("the source could send %d KiB", n>>10)
	assert.Less(t, n, int64(most))

	body, err := newClient(t, nil).First(testContext(t), url)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	assert.EqualValues(t, size, wrote(), "positive control")
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
	body, err := newClient(t, nil).Get(testContext(t), server.URL+"/")
	require.NoError(t, err)
	require.Equal(t, "gzip", body.Meta().ContentEncoding)
	require.Equal(t, []origin.Digest{{Algorithm: "md5", Value: sum[:]}}, body.Meta().Digests)
	requireBody(t, body, err, compressed.String(), "")
}

func TestCancelledReadReturnsTheContextError(t *testing.T) {
	server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, content[:5])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(testContext(t))
	body, err := newClient(t, nil).Get(ctx, server.URL+"/?"+secret)
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
