package origin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

const objectDate = "Mon, 02 Jan 2006 15:04:05 GMT"

func TestHeadDescribesTheObject(t *testing.T) {
	server := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Length", "12345678901")
		h.Set("ETag", `"abc"`)
		h.Set("Last-Modified", objectDate)
		h.Set("Content-Type", "text/plain")
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Disposition", `attachment; filename="é"`)
		h.Add("Content-Language", "de")
		h.Add("Content-Language", "en")
		h.Set("Accept-Ranges", "bytes")
		h.Set("Content-MD5", digestMD5)
	})
	meta, err := newClient(t, nil).Head(testContext(t), server.URL+"/object?"+secret)
	require.NoError(t, err)
	assert.Equal(t, origin.Meta{
		Size: 12345678901, ETag: `"abc"`, LastModified: objectDate, ContentType: "text/plain", ContentEncoding: "gzip",
		ContentDisposition: `attachment; filename="é"`, ContentLanguage: "de, en", AcceptRanges: true,
		Digests:   digests(t, "md5"),
		Addresses: []origin.Hop{{Host: server.Listener.Addr().String(), Status: 200}},
		Final:     server.URL + "/object",
	}, meta)

	encoded, err := json.Marshal(meta)
	require.NoError(t, err)
	assert.NotContains(t, string(encoded), "SECRET")
	var decoded origin.Meta
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	assert.Equal(t, meta, decoded)
}

func TestHeadWithoutContentLength(t *testing.T) {
	meta, err := newClient(t, nil).Head(testContext(t), newRawSource(t, false, "HTTP/1.1 200 OK\r\n\r\n"))
	require.NoError(t, err)
	assert.EqualValues(t, -1, meta.Size)
}

func TestHeadDropsUnusableHeaderValues(t *testing.T) {
	server := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "\xff")
		w.Header().Set("Content-Disposition", strings.Repeat("a", 1025))
		w.Header().Set("Content-Language", strings.Repeat("a", 1024))
	})
	meta, err := newClient(t, nil).Head(testContext(t), server.URL+"/")
	require.NoError(t, err)
	assert.Empty(t, meta.ContentType)
	assert.Empty(t, meta.ContentDisposition)
	assert.Len(t, meta.ContentLanguage, 1024)
}

func TestFinalIsTheLastHopWithoutItsQuery(t *testing.T) {
	object := newSource(t, func(http.ResponseWriter, *http.Request) {})
	longest := "/" + strings.Repeat("a", 1024-len(object.URL)-len("/"))
	for _, tt := range []struct{ name, target, want string }{
		{"the path is kept byte for byte", "//a/../b%2f%20c", object.URL + "//a/../b%2f%20c"},
		{"without its query", "/a?" + secret, object.URL + "/a"},
		{"without an empty query", "/a?", object.URL + "/a"},
		{"1 KiB is kept", longest + "?" + secret, object.URL + longest},
		{"more than 1 KiB is dropped", longest + "a", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := newSource(t, redirectTo(302, object.URL+tt.target))
			meta, err := newClient(t, nil).Head(testContext(t), first.URL+"/?"+secret)
			require.NoError(t, err)
			assert.Equal(t, tt.want, meta.Final)
		})
	}
}

func TestHeadFallsBackToGet(t *testing.T) {
	partial := func(contentRange string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.Header().Set("ETag", `"abc"`)
			w.Header()["Content-Type"] = nil
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write([]byte("x"))
		}
	}
	ignoresRange := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", "1000")
		w.Header()["Content-Type"] = nil
		_, _ = w.Write(make([]byte, 1000))
	}
	empty := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "0")
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, tt := range []struct {
		name   string
		head   int
		get    http.HandlerFunc
		gets   int64
		want   origin.Meta
		status int          // of the failure, if there must be one
		class  origin.Class // of the failure
	}{
		{name: "403", head: 403, get: partial("bytes 0-0/77"), gets: 1, want: origin.Meta{Size: 77, ETag: `"abc"`, AcceptRanges: true}},
		{name: "405", head: 405, get: partial("bytes 0-0/77"), gets: 1, want: origin.Meta{Size: 77, ETag: `"abc"`, AcceptRanges: true}},
		{name: "501", head: 501, get: partial("bytes 0-0/77"), gets: 1, want: origin.Meta{Size: 77, ETag: `"abc"`, AcceptRanges: true}},
		{name: "an unknown total", head: 403, get: partial("bytes 0-0/*"), gets: 1, want: origin.Meta{Size: -1, ETag: `"abc"`, AcceptRanges: true}},
		{name: "an ignored range", head: 403, get: ignoresRange, gets: 1, want: origin.Meta{Size: 1000}},
		{name: "an empty object", head: 403, get: empty, gets: 2, want: origin.Meta{ContentType: "text/plain"}},
		{name: "a wrong range", head: 403, get: partial("bytes 1-1/77"), gets: 1, class: origin.ClassUnverifiable},
		{name: "404 for the probe", head: 403, get: status(404), gets: 1, status: 404, class: origin.ClassBadHTTPStatus},
		{name: "403 for the probe too", head: 403, get: status(403), gets: 1, status: 403, class: origin.ClassBadHTTPStatus},
		{name: "no fallback after 404", head: 404, get: ignoresRange, status: 404, class: origin.ClassBadHTTPStatus},
		{name: "no fallback after 500", head: 500, get: ignoresRange, status: 500, class: origin.ClassBadHTTPStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			object := newSource(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					w.WriteHeader(tt.head)
					return
				}
				tt.get(w, r)
			})
			meta, err := newClient(t, nil).Head(testContext(t), object.URL+"/?"+secret)
			assert.Equal(t, 1+tt.gets, object.hits.Load())
			if tt.class != "" {
				failure := requireFailure(t, err, tt.class, tt.status < 500)
				assert.Equal(t, tt.status, failure.Status)
				return
			}
			require.NoError(t, err)
			assert.Len(t, meta.Addresses, 1)
			assert.Equal(t, object.URL+"/", meta.Final)
			meta.Addresses, meta.Final = nil, ""
			assert.Equal(t, tt.want, meta)
		})
	}
}

func TestStatusIsClassified(t *testing.T) {
	for _, tt := range []struct {
		status    int
		permanent bool
	}{
		{204, false}, {206, false}, {300, false}, {302, false}, {304, false},
		{400, true}, {401, true}, {404, true}, {408, false}, {410, true}, {416, true}, {425, false}, {429, false}, {451, true},
		{500, false}, {502, false}, {503, false}, {504, false}, {599, false},
	} {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			server := newSource(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) })
			_, err := newClient(t, nil).Head(testContext(t), server.URL+"/?"+secret)
			failure := requireFailure(t, err, origin.ClassBadHTTPStatus, tt.permanent)
			assert.Equal(t, tt.status, failure.Status)
			assert.Equal(t, fmt.Sprintf("Unexpected HTTP Status: %d", tt.status), err.Error())
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name, value, date string
		want              time.Duration
	}{
		{"absent", "", objectDate, 0},
		{"seconds", "7", objectDate, 7 * time.Second},
		{"zero seconds", "0", objectDate, 0},
		{"the maximum", "300", objectDate, 5 * time.Minute},
		{"too many seconds", "301", objectDate, 5 * time.Minute},
		{"an overflow", "99999999999999999999999", objectDate, 5 * time.Minute},
		{"negative seconds", "-5", objectDate, 0},
		{"neither a number nor a date", "soon", objectDate, 0},
		{"a date, by the source's clock", "Mon, 02 Jan 2006 15:04:25 GMT", objectDate, 20 * time.Second},
		{"a past date", "Mon, 02 Jan 2006 15:04:04 GMT", objectDate, 0},
		{"a distant date", "Mon, 02 Jan 2007 15:04:05 GMT", objectDate, 5 * time.Minute},
		{"a past date, by our clock", "Mon, 02 Jan 2006 15:04:25 GMT", "", 0},
		{"a distant date, by our clock", "Mon, 02 Jan 2126 15:04:25 GMT", "", 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				if tt.date != "" {
					w.Header().Set("Date", tt.date)
				}
				if tt.value != "" {
					w.Header().Set("Retry-After", tt.value)
				}
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			_, err := newClient(t, nil).Head(testContext(t), server.URL+"/")
			assert.Equal(t, tt.want, requireFailure(t, err, origin.ClassBadHTTPStatus, false).RetryAfter)
		})
	}
}
