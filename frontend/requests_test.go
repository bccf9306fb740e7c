package frontend_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

func TestRequests(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	std := base64.StdEncoding.EncodeToString([]byte(source))
	for name, tc := range map[string]struct {
		request string // Method and target.
		status  int
		code    string // Of the body: code or err.
		message string // Of the body: message or msg.
	}{
		"percent-encoded":               {"GET " + path(""), 302, "", ""},
		"percent-encoded in lower case": {"GET /v1/redirect/s3/us-west-2/" + strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(source), "%3A", "%3a"), "%2F", "%2f"), 302, "", ""},
		"base64":                        {"GET /v1/redirect/s3/us-west-2/" + url.PathEscape(std), 302, "", ""},
		"base64 unpadded":               {"GET /v1/redirect/s3/us-west-2/" + url.PathEscape(strings.TrimRight(std, "=")), 302, "", ""},
		"base64 URL alphabet":           {"GET /v1/redirect/s3/us-west-2/" + base64.RawURLEncoding.EncodeToString([]byte(source)), 302, "", ""},
		"upper case host":               {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("HTTPS://EXAMPLE.com:443/a/b.zip?sig=secret#x"), 302, "", ""},
		"HEAD":                          {"HEAD " + path(""), 302, "", ""},
		"max_wait":                      {"GET " + path("?max_wait=5s"), 302, "", ""},
		"not encoded":                   {"GET /v1/redirect/s3/us-west-2/https://example.com/a/b.zip", 400, "InputError", "URL Must be URL Encoded!"},
		"not encoded, with its query":   {"GET /v1/redirect/s3/us-west-2/https://example.com/a/b.zip?sig=x", 400, "InputError", "URL Must be URL Encoded!"},
		"encoded, except its query":     {"GET /v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Fa?sig=x", 400, "InputError", "URL Must be URL Encoded!"},
		"a bare question mark":          {"GET " + path("?"), 400, "InputError", "URL Must be URL Encoded!"},
		"sha256":                        {"GET " + path("?sha256="+digest), 302, "", ""},
		"sha256 in upper case":          {"HEAD " + path("?sha256="+strings.ToUpper(digest)), 302, "", ""},
		"sha256 and max_wait":           {"GET " + path("?sha256="+digest+"&max_wait=5s"), 302, "", ""},
		"sha256 too short":              {"GET " + path("?sha256="+digest[2:]), 400, "InputError", "sha256 must be 64 hex digits"},
		"sha256 too long":               {"GET " + path("?sha256="+digest+"00"), 400, "InputError", "sha256 must be 64 hex digits"},
		"sha256 not hex":                {"GET " + path("?sha256="+digest[1:]+"g"), 400, "InputError", "sha256 must be 64 hex digits"},
		"sha256 empty":                  {"GET " + path("?max_wait=5s&sha256="), 400, "InputError", "sha256 must be 64 hex digits"},
		"sha256 twice":                  {"GET " + path("?sha256="+digest+"&sha256="+digest), 400, "InputError", "sha256 must be 64 hex digits"},
		"sha256 with another name":      {"GET " + path("?SHA256="+digest), 400, "InputError", "URL Must be URL Encoded!"},
		"sha256 and another":            {"GET " + path("?sha256="+digest+"&sig=x"), 400, "InputError", "URL Must be URL Encoded!"},
		"sha256 and a bad max_wait":     {"GET " + path("?sha256="+digest+"&max_wait=soon"), 400, "InputError", "max_wait must be a duration from 0 to 1m0s, e.g. 5s"},
		"max_wait twice":                {"GET " + path("?max_wait=1s&max_wait=1s"), 400, "InputError", "URL Must be URL Encoded!"},
		"nothing but separators":        {"GET " + path("?&&"), 400, "InputError", "URL Must be URL Encoded!"},
		"max_wait and another":          {"GET " + path("?max_wait=1s&sig=x"), 400, "InputError", "URL Must be URL Encoded!"},
		"max_wait not a duration":       {"GET " + path("?max_wait=soon"), 400, "InputError", "max_wait must be a duration from 0 to 1m0s, e.g. 5s"},
		"max_wait negative":             {"GET " + path("?max_wait=-1s"), 400, "InputError", "max_wait must be a duration from 0 to 1m0s, e.g. 5s"},
		"max_wait too long":             {"GET " + path("?max_wait=2m"), 400, "InputError", "max_wait must be a duration from 0 to 1m0s, e.g. 5s"},
		"encoded twice":                 {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape(url.QueryEscape(source)), 400, "InputError", "URL Must be URL Encoded!"},
		"neither URL nor base64":        {"GET /v1/redirect/s3/us-west-2/%21%21", 400, "InputError", "URL Must be URL Encoded!"},
		"base64 of no URL":              {"GET /v1/redirect/s3/us-west-2/aGVsbG8", 400, "InputError", "URL Must be URL Encoded!"},
		"no URL":                        {"GET /v1/redirect/s3/us-west-2/", 400, "InputError", "URL Must be URL Encoded!"},
		"service unknown":               {"GET /v1/redirect/gcs/us-west-2/" + url.QueryEscape(source), 404, "ResourceNotFound", "No such service and region are configured here"},
		"region unknown":                {"GET /v1/redirect/s3/mars-1/" + url.QueryEscape(source), 404, "ResourceNotFound", "No such service and region are configured here"},
		"region all":                    {"GET /v1/redirect/s3/all/" + url.QueryEscape(source), 404, "ResourceNotFound", "No such service and region are configured here"},
		"host not allowed":              {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://evil.example/x?sig=secret"), 403, "InvalidUrl", "host evil.example: url is not on the list of allowed sources"},
		"host not allowed, allowed one in its query": {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://evil.example/?https://example.com/"), 403, "InvalidUrl", "host evil.example: url is not on the list of allowed sources"},
		"not https":         {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("http://example.com/x"), 403, "InvalidUrl", "host example.com: only https urls are allowed"},
		"another scheme":    {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("file://example.com/x"), 403, "InvalidUrl", "url is not an absolute http or https url"},
		"user info":         {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://u:p@example.com/x"), 403, "InvalidUrl", "url holds a user name or password"},
		"IPv6 zone":         {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://[::1%25x.example.com]/x"), 403, "InvalidUrl", "url has an ipv6 address that is not valid"},
		"host with a space": {"GET /v1/redirect/s3/us-west-2/" + url.QueryEscape("https://example .com/x"), 403, "InvalidUrl", "url has a host that is not valid"},
		"POST":              {"POST " + path(""), 405, "MethodNotAllowed", "Method not allowed here, see the Allow header"},
		"no such path":      {"GET /v1/nothing", 404, "ResourceNotFound", "No such resource, see /v1/api-reference"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			method, target, _ := strings.Cut(tc.request, " ")
			a := f.ask(t, method, target)
			require.Equal(t, tc.status, a.status, a.raw)
			require.NotContains(t, strings.ReplaceAll(a.raw, source, ""), "secret")
			require.Zero(t, f.queue.requests(queue.Put))
			require.Equal(t, "no-store", a.header.Get("Cache-Control"), "a client could cache it for longer than the copy exists")
			if tc.status == 302 {
				// Every form of one URL is one object, and the signature is for the method.
				require.Equal(t, copyURL(method), a.location)
				require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
				if method == http.MethodGet {
					require.Equal(t, map[string]any{"status": "present", "url": copyURL(method)}, a.body)
				}
				return
			}
			kind, text := "code", "message"
			if tc.status == 403 {
				kind, text = "err", "msg"
			}
			require.Equal(t, tc.code, a.body[kind], a.raw)
			require.NotEmpty(t, a.body[text])
			if tc.message != "" {
				require.Equal(t, tc.message, a.body[text])
			}
		})
	}
}
