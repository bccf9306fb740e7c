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

func TestMetaDescribesTheObject(t *testing.T) {
	server := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Length", "12345678901") // More than the handler writes: the body stays unread
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
	meta, err := describe(t, newClient(t, nil), server.URL+"/object?"+secret)
	require.NoError(t, err)
	assert.Equal(t, origin.Meta{
		Size: 12345678901, ETag: `"abc"`, LastModified: objectDate, ContentType: "text/plain", ContentEncoding: "gzip",
		ContentDisposition: `attachment; filename*=utf-8''%C3%A9`, ContentLanguage: "de, en", AcceptRanges: true,
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

func TestMetaWithoutContentLength(t *testing.T) {
	meta, err := describe(t, newClient(t, nil), newRawSource(t, false, "HTTP/1.1 200 OK\r\n\r\n"))
	require.NoError(t, err)
	assert.EqualValues(t, -1, meta.Size)
}

// TestMetaDropsUnusableHeaderValues: S3 stores printable ASCII.
func TestMetaDropsUnusableHeaderValues(t *testing.T) {
	server := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", "\"é\"")
		w.Header().Set("Content-Type", "\xff")
		w.Header().Set("Last-Modified", "a\tb")
		w.Header().Set("Content-Disposition", strings.Repeat("a", 1025))
		w.Header().Set("Content-Language", strings.Repeat("a", 1024))
	})
	meta, err := describe(t, newClient(t, nil), server.URL+"/")
	require.NoError(t, err)
	assert.Empty(t, meta.ETag)
	assert.Empty(t, meta.ContentType)
	assert.Empty(t, meta.LastModified)
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
		{"none if a part of the path is hidden", "/a%3F" + secret, ""},
		{"1 KiB is kept", longest + "?" + secret, object.URL + longest},
		{"more than 1 KiB is dropped", longest + "a", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := newSource(t, redirectTo(302, object.URL+tt.target))
			meta, err := describe(t, newClient(t, nil), first.URL+"/?"+secret)
			require.NoError(t, err)
			assert.Equal(t, tt.want, meta.Final)
		})
	}
}

func TestStatusIsClassified(t *testing.T) {
	for _, tt := range []struct {
		status                   int
		permanent                bool
		aboutObject              bool
		aboutObjectAuthoritative bool // For a host in Authoritative4xx
	}{
		{204, false, false, false},
		{206, false, false, false},
		{300, false, false, false},
		{302, false, false, false},
		{304, false, false, false},
		{400, true, false, true},
		{401, true, false, true},
		{403, true, false, true},
		{404, true, true, true},
		{405, true, false, true},
		{408, false, false, false},
		{410, true, true, true},
		{412, true, false, true},
		{416, true, false, true},
		{425, false, false, false},
		{429, false, false, false},
		{451, true, false, true},
		{500, false, false, false},
		{501, false, false, false},
		{502, false, false, false},
		{503, false, false, false},
		{504, false, false, false},
		{599, false, false, false},
	} {
		server := newSource(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) })
		first := newSource(t, redirectTo(307, server.URL+"/"))
		_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
		for _, host := range []struct {
			name, url     string
			authoritative []string
			aboutObject   bool
		}{
			{"any host", server.URL, nil, tt.aboutObject},
			{"an authoritative host", server.URL, []string{"other.example", server.Listener.Addr().String()}, tt.aboutObjectAuthoritative},
			{"an authoritative host after a redirect", first.URL, []string{server.Listener.Addr().String()}, tt.aboutObjectAuthoritative},
			{"a redirect from an authoritative host", first.URL, []string{first.Listener.Addr().String()}, tt.aboutObject},
			{"another port of an authoritative host", server.URL, []string{"127.0.0.1", "127.0.0.1:1" + port}, tt.aboutObject},
		} {
			t.Run(fmt.Sprint(tt.status, ", ", host.name), func(t *testing.T) {
				client := newClient(t, func(cfg *origin.Config) { cfg.Authoritative4xx = host.authoritative })
				for _, request := range requests[:2] {
					_, err := request.send(testContext(t), client, host.url+"/?"+secret)
					failure := requireFailure(t, err, origin.ClassBadHTTPStatus, tt.permanent)
					assert.Equal(t, tt.status, failure.Status)
					assert.Equal(t, host.aboutObject, failure.AboutObject)
					assert.Equal(t, fmt.Sprintf("Unexpected HTTP Status: %d", tt.status), err.Error())
					assert.Equal(t, "GET", failure.Method)
					assert.Equal(t, server.Listener.Addr().String(), failure.Host, "the hop that answered")
				}
				_, err := client.GetRange(testContext(t), host.url+"/?"+secret, contentMeta, 2, 3)
				failure := requireFailure(t, err, origin.ClassRangeRefused, false)
				assert.Equal(t, tt.status, failure.Status)
				assert.Equal(t, server.Listener.Addr().String(), failure.Host)
				assert.False(t, failure.AboutObject, "a range says nothing about the object")
				assert.False(t, failure.Crowded, "no other request is in flight")
			})
		}
	}
}

func TestRetry(t *testing.T) {
	for status, want := range map[int]bool{
		0: true, 200: false, 206: false, 302: false, 400: false, 401: false, 403: true, 404: false, 408: true, 410: false,
		412: false, 416: false, 425: true, 429: true, 500: true, 501: false, 502: true, 503: true, 504: true,
	} {
		assert.Equal(t, want, (&origin.Error{Class: origin.ClassRangeRefused, Status: status}).Retry(), status)
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
			client := newClient(t, nil)
			_, err := describe(t, client, server.URL+"/")
			assert.Equal(t, tt.want, requireFailure(t, err, origin.ClassBadHTTPStatus, false).RetryAfter)
			_, err = client.GetRange(testContext(t), server.URL+"/", contentMeta, 2, 3)
			assert.Equal(t, tt.want, requireFailure(t, err, origin.ClassRangeRefused, false).RetryAfter)
		})
	}
}
