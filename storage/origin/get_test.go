package origin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

const content = "0123456789"

// honest serves content as net/http does: ranges, validators, preconditions.
func honest(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	modified, _ := http.ParseTime(objectDate)
	http.ServeContent(w, r, "object.txt", modified, strings.NewReader(content))
}

func TestHeadThenGet(t *testing.T) {
	for name, server := range map[string]*source{"http/1.1": newSource(t, honest), "http/2": newTLSSource(t, honest)} {
		t.Run(name, func(t *testing.T) {
			client, ctx, url := newClient(t, nil), testContext(t), server.URL+"/object.txt?"+secret
			meta, err := client.Head(ctx, url)
			require.NoError(t, err)
			require.EqualValues(t, len(content), meta.Size)
			require.True(t, meta.AcceptRanges)

			whole, err := client.Get(ctx, url, meta)
			require.NoError(t, err)
			require.NoError(t, iotest.TestReader(whole, []byte(content)))
			require.NoError(t, whole.Close())

			for off := range int64(len(content)) {
				for n := int64(1); off+n <= int64(len(content)); n++ {
					part, err := client.GetRange(ctx, url, meta, off, n)
					require.NoError(t, err)
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
	canary := newSource(t, honest)
	client := newClient(t, nil)
	for _, r := range [][2]int64{{-1, 1}, {0, 0}, {0, -1}, {0, 11}, {10, 1}, {9, 2}, {1 << 62, 1 << 62}, {1, 1<<63 - 1}} {
		_, err := client.GetRange(testContext(t), canary.URL+"/", origin.Meta{Size: 10, ETag: `"v1"`}, r[0], r[1])
		requireFailure(t, err, origin.ClassUnverifiable, true)
	}
	_, err := client.GetRange(testContext(t), canary.URL+"/", origin.Meta{Size: -1}, 0, 1)
	requireFailure(t, err, origin.ClassUnverifiable, true)
	assert.Zero(t, canary.hits.Load())
	part, err := client.GetRange(testContext(t), canary.URL+"/", origin.Meta{Size: 10, ETag: `"v1"`}, 9, 1)
	require.NoError(t, err, "positive control")
	require.NoError(t, part.Close())
	assert.EqualValues(t, 1, canary.hits.Load())
}

// Each case is one answer, byte for byte, to the GET of an object that HEAD has described as want.
func TestGetFromALyingSource(t *testing.T) {
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
		{"chunks of a body without a known size", unsized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", ""},
		{"the same etag", tagged, false, "200 OK\r\nETag: \"v1\"\r\nContent-Length: 10\r\n\r\n0123456789", ""},
		{"a weak etag is not compared", origin.Meta{Size: 10, ETag: `W/"v1"`}, false, "200 OK\r\nETag: W/\"v2\"\r\nContent-Length: 10\r\n\r\n0123456789", ""},

		{"a body that ends short of its length", sized, false, "200 OK\r\nContent-Length: 10\r\n\r\n012345678", origin.ClassTruncated},
		{"a body that is reset", sized, true, "200 OK\r\nContent-Length: 10\r\n\r\n012345678", origin.ClassTruncated},
		{"chunks that end short of the size", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n0\r\n\r\n", origin.ClassTruncated},
		{"chunks that break off", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", origin.ClassTruncated},
		{"chunks that break off at the size", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n", origin.ClassTruncated},
		{"chunks of unknown size that break off", unsized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", origin.ClassTruncated},
		{"chunks that echo the query", unsized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n", origin.ClassTruncated},
		{"chunks that go on past the size", sized, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n", origin.ClassTruncated},
		{"chunks for an empty object", origin.Meta{}, false, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n", origin.ClassTruncated},

		{"a shorter length", sized, false, "200 OK\r\nContent-Length: 5\r\n\r\n01234", origin.ClassChanged},
		{"a longer length", sized, false, "200 OK\r\nContent-Length: 11\r\n\r\n0123456789a", origin.ClassChanged},
		{"another etag", tagged, false, "200 OK\r\nETag: \"v2\"\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},
		{"a weak etag in place of the strong one", tagged, false, "200 OK\r\nETag: W/\"v1\"\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},
		{"the etag is gone", tagged, false, "200 OK\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},
		{"412 to If-Match", tagged, false, "412 No\r\nContent-Length: 0\r\n\r\n", origin.ClassChanged},
		{"gzip all of a sudden", sized, false, "200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassChanged},

		{"neither length nor chunking, whole", sized, false, "200 OK\r\nConnection: close\r\n\r\n0123456789", origin.ClassUnverifiable},
		{"neither length nor chunking, cut short", sized, false, "200 OK\r\nConnection: close\r\n\r\n01234", origin.ClassUnverifiable},
		{"neither length nor chunking, size unknown", unsized, false, "200 OK\r\n\r\n01234", origin.ClassUnverifiable},
		{"a 206 that nobody asked for", sized, false, "206 Partial\r\nContent-Range: bytes 0-9/20\r\nContent-Length: 10\r\n\r\n0123456789", origin.ClassBadHTTPStatus},
		{"204", origin.Meta{}, false, "204 No Content\r\n\r\n", origin.ClassBadHTTPStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := newRawSource(t, tt.reset, "HTTP/1.1 "+tt.answer)
			body, err := newClient(t, nil).Get(testContext(t), url, tt.want)
			var got []byte
			if err == nil {
				got, err = io.ReadAll(body)
				_, again := body.Read(make([]byte, 1))
				require.NoError(t, body.Close())
				if err != nil {
					require.Equal(t, err, again, "the error stays")
				}
			}
			if tt.class == "" {
				require.NoError(t, err)
				require.Equal(t, content, string(got))
				return
			}
			requireFailure(t, err, tt.class, tt.class == origin.ClassUnverifiable)
			if tt.want.Size >= 0 {
				require.Less(t, len(got), max(int(tt.want.Size), 1), "counting the bytes must be enough")
			}
		})
	}
}

func TestGetRangeFromALyingSource(t *testing.T) {
	tagged := origin.Meta{Size: 10, ETag: `"v1"`}
	weak := origin.Meta{Size: 10, ETag: `W/"v1"`, LastModified: objectDate}
	dated := origin.Meta{Size: 10, LastModified: objectDate}
	const v1 = "ETag: \"v1\"\r\n"
	for _, tt := range []struct {
		name   string
		want   origin.Meta
		answer string
		class  origin.Class
	}{
		{"the range", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", ""},
		{"the range in chunks", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n234\r\n0\r\n\r\n", ""},
		{"the same weak etag", weak, "206 P\r\nETag: W/\"v1\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", ""},
		{"the same date", dated, "206 P\r\nLast-Modified: " + objectDate + "\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", ""},
		{"no validator at all", origin.Meta{Size: 10}, "206 P\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", ""},

		{"no Content-Range", tagged, "206 P\r\n" + v1 + "Content-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"another range of that length", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 3-5/10\r\nContent-Length: 3\r\n\r\n345", origin.ClassUnverifiable},
		{"another start", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 3-4/10\r\nContent-Length: 2\r\n\r\n34", origin.ClassUnverifiable},
		{"another end", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-5/10\r\nContent-Length: 4\r\n\r\n2345", origin.ClassUnverifiable},
		{"no total", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-4/*\r\nContent-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"another unit", tagged, "206 P\r\n" + v1 + "Content-Range: lines 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"signs", tagged, "206 P\r\n" + v1 + "Content-Range: bytes +2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassUnverifiable},
		{"a length that does not fit", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 2\r\n\r\n23", origin.ClassUnverifiable},
		{"neither length nor chunking", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\n\r\n234", origin.ClassUnverifiable},

		{"another total", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-4/11\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"another etag", tagged, "206 P\r\nETag: \"v2\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"another weak etag", weak, "206 P\r\nETag: W/\"v2\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"another date", dated, "206 P\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", origin.ClassChanged},
		{"412 to If-Match", tagged, "412 No\r\nContent-Length: 0\r\n\r\n", origin.ClassChanged},
		{"416 within the size", tagged, "416 No\r\nContent-Range: bytes */1\r\nContent-Length: 0\r\n\r\n", origin.ClassChanged},

		{"cut short", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n23", origin.ClassTruncated},
		{"chunks past the end", tagged, "206 P\r\n" + v1 + "Content-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n2345\r\n0\r\n\r\n", origin.ClassTruncated},
		{"the whole object", tagged, "200 OK\r\n" + v1 + "Content-Length: 10\r\n\r\n0123456789", origin.ClassBadHTTPStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := newClient(t, nil).GetRange(testContext(t), newRawSource(t, false, "HTTP/1.1 "+tt.answer), tt.want, 2, 3)
			var got []byte
			if err == nil {
				got, err = io.ReadAll(body)
				require.NoError(t, body.Close())
			}
			if tt.class == "" {
				require.NoError(t, err)
				require.Equal(t, "234", string(got))
				return
			}
			requireFailure(t, err, tt.class, tt.class == origin.ClassUnverifiable)
			require.Less(t, len(got), 3)
		})
	}
}

// An HTTP/2 stream has an end of its own, so neither length nor chunking is needed, and a reset is not an end.
func TestGetOverHTTP2(t *testing.T) {
	for _, abort := range []bool{false, true} {
		t.Run(fmt.Sprintf("aborted %v", abort), func(t *testing.T) {
			var proto string
			server := newTLSSource(t, func(w http.ResponseWriter, r *http.Request) {
				proto = r.Proto
				_, _ = io.WriteString(w, content[:5])
				w.(http.Flusher).Flush()
				if abort {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(w, content[5:])
			})
			body, err := newClient(t, nil).Get(testContext(t), server.URL+"/?"+secret, origin.Meta{Size: -1})
			require.NoError(t, err)
			got, err := io.ReadAll(body)
			require.NoError(t, body.Close())
			require.Equal(t, "HTTP/2.0", proto)
			if abort {
				requireFailure(t, err, origin.ClassTruncated, false)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, content, string(got))
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
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	_, err := packer.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, packer.Close())
	server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "object.txt", time.Time{}, bytes.NewReader(packed.Bytes()))
	})
	client := newClient(t, nil)
	meta := origin.Meta{Size: int64(packed.Len()), ContentEncoding: "gzip"}
	body, err := client.Get(testContext(t), server.URL+"/", meta)
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	assert.Equal(t, packed.Bytes(), got)
}

func TestCancelledReadIsReturnedAsItIs(t *testing.T) {
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
