package frontend_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestEveryAnswerHasNosniff sends every request twice: as it is, and with a body.
func TestEveryAnswerHasNosniff(t *testing.T) {
	f := newFixture(t, mirroring, func(o *options) { o.MaxWait, o.LoopID = time.Millisecond, "loop" })
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	f.copied(t, mirrored)
	address := f.serve(t)
	lines := routes()
	lines["GET mirror"], lines["HEAD mirror"] = "GET "+mirrorPath, "HEAD "+mirrorPath
	lines["mirror, bypass"] = "GET " + mirrorRoute + "s3/us-west-2/example.com/index"
	lines["mirror, no upstream"] = "GET " + mirrorRoute + "s3/us-west-2/evil.test/index"
	lines["copies"] = "POST /v1/copies"
	for name, line := range lines {
		method, target, _ := strings.Cut(line, " ")
		for kind, header := range map[string][]string{
			"plain": {"Authorization: Bearer " + token}, "no token": nil, "Origin": {"Origin: https://site.example"},
			"body": {"Content-Length: 1"}, "chunks": {"Transfer-Encoding: chunked"}, "loop": {"CDN-Loop: loop"},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				c := dial(t, address)
				c.send(t, request(method, target, header...))
				response, body := c.receive(t, method, 5*time.Second)
				require.Equal(t, []string{"nosniff"}, response.Header["X-Content-Type-Options"], "%s %s", response.Status, body)
			})
		}
	}
}

// TestAnswersOfNetHTTP shows the answers that no handler can reach. Their text is constant, and
// they close the connection. They have no nosniff.
func TestAnswersOfNetHTTP(t *testing.T) {
	f := newFixture(t)
	address := f.serve(t)
	for name, tc := range map[string]struct{ sent, status, body string }{
		"no request":          {"<script>\r\n\r\n", "400 Bad Request", "400 Bad Request"},
		"no host":             {"GET /v1/ping HTTP/1.1\r\n\r\n", "400 Bad Request: missing required Host header", "400 Bad Request: missing required Host header"},
		"two hosts":           {"GET /v1/ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request", "400 Bad Request"},
		"long header":         {"GET /v1/ping HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431 Request Header Fields Too Large", "431 Request Header Fields Too Large"},
		"two lengths":         {"GET /v1/ping HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 Bad Request", "400 Bad Request"},
		"a coding of its own": {"GET /v1/ping HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: <script>\r\n\r\n", "501 Not Implemented", "Unsupported transfer encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, address)
			go func() { _, _ = io.WriteString(c, tc.sent) }()
			response, body := c.receive(t, http.MethodGet, 5*time.Second)
			require.Equal(t, tc.status, response.Status)
			require.Equal(t, tc.body, body)
			require.Equal(t, "text/plain; charset=utf-8", response.Header.Get("Content-Type"))
			require.True(t, response.Close)
		})
	}
}

// TestLocationIgnoresTheHost sends requests in absolute form, as to a proxy. No answer names a host
// of the request.
func TestLocationIgnoresTheHost(t *testing.T) {
	f := newFixture(t, mirroring, func(o *options) { o.Chain, o.MaxWait, o.MirrorWait = time.Millisecond, time.Minute, time.Millisecond })
	address := f.serve(t)
	again := path("") + "?max_wait=59.999s"
	for target, location := range map[string]string{
		path(""):                        again, // The control.
		"http://evil.test" + path(""):   again,
		"http://evil.test" + path("?"):  "",
		"http:" + path(""):              again,
		"HTTPS://evil.test" + path(""):  again,
		"x://u:p@evil.test" + path(""):  again,
		"http://evil.test" + mirrorPath: mirrored,
		"http:" + mirrorPath:            mirrored,
		"http:" + mirrorRoute + "s3/us-west-2/https://example.com/files/b.zip": "https://example.com/files/b.zip",
		"//evil.test" + path(""):                                     "",
		"http://evil.test//v1/redirect/s3/us-west-2/x":               "",
		"http://evil.test?" + path(""):                               "",
		"http://evil.test/v1/redirect/s3/us-west-2/http:" + path(""): "",
	} {
		t.Run(target, func(t *testing.T) {
			for range 2 { // The path is known the second time.
				c := dial(t, address)
				c.send(t, "GET "+target+" HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: evil.test\r\nForwarded: host=evil.test\r\n\r\n")
				response, body := c.receive(t, http.MethodGet, 5*time.Second)
				require.Equal(t, location, response.Header.Get("Location"), "%s %s", response.Status, body)
				require.NotContains(t, fmt.Sprint(response.Header, body), "evil.test")
			}
		})
	}
}

// TestSourceAsksForCredentials: the status 401 or 407 of a source is never the front end's. A
// client would send its credentials for the source to the front end.
func TestSourceAsksForCredentials(t *testing.T) {
	for status, want := range map[int]int{401: 302, 407: 302, 403: 403, 404: 404} {
		f := newFixture(t)
		f.put(t, cachetest.Rules().Failed(time.Now(), cache.Reason{Class: "BadHTTPStatus", Status: status, AboutObject: true}))
		a := f.ask(t, "GET", path(""))
		require.Equal(t, want, a.status)
		require.Empty(t, a.header["Www-Authenticate"])
		if want == 302 {
			require.Equal(t, source, a.location)
			require.Equal(t, fmt.Sprintf("Object could not be copied: BadHTTPStatus %d", status), a.body["msg"])
		}
	}
	a := newFixture(t).ask(t, "DELETE", strings.Replace(path(""), "redirect", "purge", 1))
	require.Equal(t, `Bearer realm="cloud-mirror"`, a.header.Get("WWW-Authenticate"), "control: our own 401")
}

// TestChunkedRequestIsTheLastOfItsConnection sends a request with a length and chunks. Proxies that
// go by the length see one request. Those that go by the chunks see two.
func TestChunkedRequestIsTheLastOfItsConnection(t *testing.T) {
	const smuggled = "GET /v1/ping HTTP/1.1\r\nHost: smuggled\r\n\r\n"
	line := `{"url":"` + source + `","regions":["us-west-2"]}` + "\n"
	both := fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked", len("0\r\n\r\n"+smuggled))
	for name, tc := range map[string]struct {
		line, header, body string
		status             int
	}{
		"redirect":            {"GET " + path(""), both, "0\r\n\r\n", 400},
		"redirect, HEAD":      {"HEAD " + path(""), both, "0\r\n\r\n", 400},
		"mirror":              {"GET " + mirrorPath, both, "0\r\n\r\n", 302},
		"status":              {"GET " + strings.Replace(path(""), "redirect", "status", 1), both, "0\r\n\r\n", 400},
		"purge":               {"DELETE " + strings.Replace(path(""), "redirect", "purge", 1), both, "0\r\n\r\n", 400},
		"list":                {"POST /v1/copies", both, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(line), line), 200},
		"list, empty":         {"POST /v1/copies", both, "0\r\n\r\n", 200},
		"list, with a query":  {"POST /v1/copies?x", both, "0\r\n\r\n", 400},
		"list, no token":      {"POST /v1/copies", both + "\r\nAuthorization: x", "0\r\n\r\n", 401},
		"no route":            {"GET /x", both, "0\r\n\r\n", 400},
		"chunks only":         {"GET /v1/ping", "Transfer-Encoding: chunked", "0\r\n\r\n", 400},
		"a trailer":           {"POST /v1/copies", both, "0\r\nX: y\r\n\r\n", 200},
		"an extension":        {"POST /v1/copies", both, "0;x=y\r\n\r\n", 200},
		"HTTP/1.0, redirect":  {"GET " + path("?max_wait=0") + " HTTP/1.0", "Connection: keep-alive\r\n" + both, "0\r\n\r\n", 400},
		"TE behind a space":   {"GET /v1/ping", "Transfer-Encoding : chunked", "0\r\n\r\n", 400},
		"TE with another one": {"GET /v1/ping", "Transfer-Encoding: chunked, identity", "0\r\n\r\n", 501},
		"TE twice":            {"GET /v1/ping", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n", 501},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, mirroring)
			c := dial(t, f.serve(t))
			line := tc.line
			if !strings.Contains(line, " HTTP/") {
				line += " HTTP/1.1"
			}
			head := line + "\r\nHost: x\r\n" + tc.header + "\r\n"
			if !strings.Contains(head, "Authorization") {
				head += "Authorization: Bearer " + token + "\r\n"
			}
			c.send(t, head+"\r\n"+tc.body+smuggled)
			method, _, _ := strings.Cut(tc.line, " ")
			response, _ := c.receive(t, method, 5*time.Second)
			require.Equal(t, tc.status, response.StatusCode)
			require.True(t, response.Close)
			c.requireClosed(t, 5*time.Second)
		})
	}
	// net/http ignores the chunks of HTTP/1.0. The first line of a chunk is no request.
	t.Run("HTTP/1.0 without a length", func(t *testing.T) {
		c := dial(t, newFixture(t).serve(t))
		c.send(t, "GET /v1/api-reference HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+smuggled)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
		all, err := io.ReadAll(c.answers)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(all), " 200 OK"))
		require.NotContains(t, string(all), "alive\":true")
	})
	t.Run("control: a request without a body is not the last", func(t *testing.T) {
		c := dial(t, newFixture(t).serve(t))
		c.send(t, request(http.MethodGet, "/v1/ping")+smuggled)
		for range 2 {
			response, _ := c.receive(t, http.MethodGet, 5*time.Second)
			require.Equal(t, 200, response.StatusCode)
		}
	})
}

// TestUnknownQuery: a query that a route does not know is an error, and has no effect.
func TestUnknownQuery(t *testing.T) {
	f := newFixture(t)
	f.store(t, "0")
	below := "/s3/us-west-2/" + url.QueryEscape(source)
	for _, line := range []string{
		"GET /v1/status" + below, "HEAD /v1/status" + below, "GET /v1/ping", "GET /v1/api-reference", "POST /v1/copies",
		"DELETE /v1/purge" + below, // The last: it removes the copy.
	} {
		method, target, _ := strings.Cut(line, " ")
		for _, query := range []string{"?", "?x", "?x=1", "?max_wait=1s", "?sig=secret", "?%zz"} {
			a := f.ask(t, method, target+query, "Authorization", "Bearer "+token)
			require.Equal(t, 400, a.status, "%s%s", line, query)
			require.NotContains(t, a.raw, "secret")
			_, stored := f.bucket.Body(object().Key())
			require.True(t, stored, "%s%s", line, query)
		}
		if method != http.MethodPost {
			require.Less(t, f.ask(t, method, target, "Authorization", "Bearer "+token).status, 300, "control: "+line)
		}
	}
	require.Positive(t, f.metric(t, "cloud_mirror_refused_requests_total", "InputError"))
}
