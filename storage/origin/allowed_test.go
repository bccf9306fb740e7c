package origin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestParseAllowed(t *testing.T) {
	for entry, want := range map[string][]string{
		"https://a.example.com":                {"https://a.example.com/"},
		"HTTPS://A.Example.com./":              {"https://a.example.com/"},
		"https://a.example.com:443/":           {"https://a.example.com/"},
		"http://a.example.com:8080/b":          {"http://a.example.com:8080/b"},
		"https://*.example.com/b/":             {"https://*.example.com/b/"},
		"https://*.b.example.com:8443":         {"https://*.b.example.com:8443/"},
		"http://10.1.2.3/":                     {"http://10.1.2.3/"},
		"https://[2001:DB8:0::1]/a":            {"https://[2001:db8::1]/a"},
		"http://127.0.0.1:*":                   {"http://127.0.0.1:*/"},
		"http://localhost:*/a/":                {"http://localhost:*/a/"},
		"http://[::1]:*/":                      {"http://[::1]:*/"},
		"https://a.example.com/c++/%20/~b/":    {"https://a.example.com/c++/%20/~b/"},
		`https://a\.example\.com/`:             {"https://a.example.com/"},
		`^https://a\.example\.com/`:            {"https://a.example.com/"},
		`^https?://a\.example\.com/`:           {"https://a.example.com/", "http://a.example.com/"},
		`^https://[^/]*\.example\.com/`:        {"https://*.example.com/"},
		`https://my\-host\.example\.com:8443/`: {"https://my-host.example.com:8443/"},
		`^https://a\.example\.com/b/v1\.0/`:    {"https://a.example.com/b/v1.0/"},
		`http://127\.0\.0\.1:8090/`:            {"http://127.0.0.1:8090/"},
	} {
		t.Run(entry, func(t *testing.T) {
			all, err := origin.ParseAllowed(entry)
			require.NoError(t, err)
			var got []string
			for _, a := range all {
				got = append(got, a.String())
				again, err := origin.ParseAllowed(a.String())
				require.NoError(t, err)
				require.Equal(t, []origin.Allowed{a}, again, "the text of an entry is the entry")
			}
			require.Equal(t, want, got)
		})
	}
}

// TestParseAllowedRefuses checks the reason, and the suggestion if there is one.
func TestParseAllowedRefuses(t *testing.T) {
	for entry, want := range map[string]string{
		"":                                 `"" is empty: write a URL such as https://artifacts.example.com/`,
		"example.com":                      "has no scheme: write https://example.com",
		"*.example.com/a/":                 "has no scheme: write https://*.example.com/a/",
		"ftp://example.com/":               "does not begin with https:// or http://",
		"https://":                         "has no valid host and port",
		"https:///":                        "has no valid host and port",
		"https://*/":                       "has no valid host and port",
		"https://*./":                      "has no valid host and port",
		"https://*.*.example.com/":         "has no valid host and port",
		"https://a.*.example.com/":         "has no valid host and port",
		"https://a*.example.com/":          "has no valid host and port",
		"https://a..example.com/":          "has no valid host and port",
		"https://user@example.com/":        "has no valid host and port",
		"https://example.com:0/":           "has no valid host and port",
		"https://example.com:65536/":       "has no valid host and port",
		"https://[::1%25x.example.com]/":   "has no valid host and port",
		"http://127.0.0.1:80:*/":           "has no valid host and port",
		"https://example.com:*/":           "allows every port, which only a loopback host may: name the port",
		"http://*.localhost:*/":            "allows every port, which only a loopback host may: name the port",
		"https://*.0.0.1/":                 "has a wildcard before an address",
		"https://*.0x7f/":                  "has a wildcard before an address",
		"https://example.com/#a":           "has a query or a fragment",
		"https://example.com/../":          "has a path with dot segments",
		"https://example.com/a%2fb/":       "has a path with dot segments",
		"https://example.com/a%":           "has a path with dot segments",
		"https://example.com/a b":          "has a path that is not literal",
		"https://*.invalid/":               "would allow https://x.invalid/",
		"http://x.invalid:8080/":           "would allow http://x.invalid:8080/",
		`https://a\.example\.com`:          "would also allow https://a.example.com.evil.test/: write https://a.example.com/",
		`^https://a\.example\.com:`:        "is a regular expression",
		`https://.*\.example\.com/`:        "would also allow https://evil.test/x.example.com/: write https://*.example.com/",
		`^https://.+\.example\.com/`:       "write https://*.example.com/",
		`https://[^.]+\.example\.com/`:     "write https://*.example.com/",
		`https://[a-z-]+\.example\.com/`:   "write https://*.example.com/",
		`^https://a.example.com/`:          "would also allow https://axexample.com/: write https://a.example.com/",
		`https://(a|b)\.example\.com/`:     "write https://a.example.com/ and https://b.example.com/",
		`https://([^/]*\.)?example\.com/`:  "write https://*.example.com/ and https://example.com/",
		`(http|https)://a\.example\.com/`:  "write http://a.example.com/ and https://a.example.com/",
		`https://a\.b/|https://c\.d/`:      "write https://a.b/ and https://c.d/",
		`https://a\.example\.com/.*`:       "write https://a.example.com/",
		`^https://a\.example\.com/b$`:      "write https://a.example.com/b",
		`https://a\.example\.com(:\d+)?/`:  "would also allow https://a.example.com:8443/: write https://a.example.com/",
		`https://a\.example\.com/[0-9]+/`:  "is a regular expression that is not a literal scheme, host and slash",
		`^https?://`:                       "would also allow https://x.invalid/",
		`http://`:                          "has no valid host and port",
		`.*`:                               "would also allow https://x.invalid/",
		`(oops`:                            "is a regular expression that is not a literal scheme, host and slash",
		`a)|(?:b`:                          "is a regular expression that is not a literal scheme, host and slash",
		`(?i)https://a\.example\.com/`:     "is a regular expression that is not a literal scheme, host and slash",
		`^https://a\.example\.com/\.\./b/`: "has a path with dot segments",
		`^https://[^/]*\.invalid/`:         "would allow https://x.invalid/",
		`^https://\x61\.example\.com/`:     "is a regular expression",
		`^https://a\.example\.com:99999/`:  "has no valid host and port",
		"https://a.example.com/\n":         "has a path that is not literal",
		"https://a.example.com/x?y=":       "has a query or a fragment",
	} {
		t.Run(entry, func(t *testing.T) {
			all, err := origin.ParseAllowed(entry)
			require.Empty(t, all)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "\n", "one line")
			_, err = origin.New(origin.Config{Allowed: []string{"https://fine.example/", entry}})
			require.ErrorContains(t, err, want)
		})
	}
}

func TestWideEntries(t *testing.T) {
	for entry, wide := range map[string]bool{
		"https://*.com/": true, "https://*.co.uk/": true, "https://*.github.io/": true, "https://*.s3.amazonaws.com/": true,
		"https://*.compute-1.amazonaws.com/": true, "https://*.ck/": true, "https://*.www.ck/": false,
		"https://com/": false, "https://*.example.com/": false, "https://github.io/": false, "https://*.internal/": false,
	} {
		all, err := origin.ParseAllowed(entry)
		require.NoError(t, err)
		require.Equal(t, wide, all[0].Wide(), entry)
	}
}

func TestCheckOfAllowed(t *testing.T) {
	for _, tt := range []struct {
		url     string
		ssl, ok bool
	}{
		{url: "https://good.example/", ok: true},
		{url: "https://good.example/a?SECRET", ok: true},
		{url: "https://good.example/?SECRET", ok: true},
		{url: "https://good.example/a/../b", ok: true},
		{url: "https://good.example/a%2fb", ok: true},
		{url: "https://good.example//a", ok: true},
		{url: "https://good.example/a", ssl: true, ok: true},
		{url: "https://good.example.evil.test/?SECRET"},
		{url: "https://evilgood.example/?SECRET"},
		{url: "https://sub.good.example/?SECRET"},
		{url: "https://good.example:8443/?SECRET"},
		{url: "https://evil.test/https://good.example/?SECRET"},
		{url: "https://evil.test/?https://good.example/SECRET"},
		{url: "http://good.example/?SECRET"},

		{url: "http://port.example:8080/a", ok: true},
		{url: "http://port.example:8080/a?SECRET", ssl: true},
		{url: "http://port.example/?SECRET"},
		{url: "http://port.example:8081/?SECRET"},
		{url: "https://port.example:8080/?SECRET"},

		{url: "https://below.example/a/b/", ok: true},
		{url: "https://below.example/a/b/c", ok: true},
		{url: "https://below.example/a/b/c?x=/../SECRET", ok: true},
		{url: "https://below.example/a/b//c", ok: true},
		{url: "https://below.example/a/b/..c/.d/e../...", ok: true},
		{url: "https://below.example/a/b/%20%C3%A9%25", ok: true},
		{url: "https://below.example/a/b?SECRET"},
		{url: "https://below.example/a/bc?SECRET"},
		{url: "https://below.example/a/?SECRET"},
		{url: "https://below.example/A/b/?SECRET"},
		{url: "https://below.example/%61/b/?SECRET"},
		{url: "https://below.example/x/a/b/?SECRET"},
		{url: "https://below.example/a/b/../c?SECRET"},
		{url: "https://below.example/a/b/..?SECRET"},
		{url: "https://below.example/a/b/c/./d?SECRET"},
		{url: "https://below.example/a/b/%2e%2E/c?SECRET"},
		{url: "https://below.example/a/b/.%2e/c?SECRET"},
		{url: "https://below.example/a/b/..%2fc?SECRET"},
		{url: "https://below.example/a/b/c%2Fd?SECRET"},
		{url: "https://below.example/a/b/c%5Cd?SECRET"},
		{url: "https://below.example/a/b/c%5cd?SECRET"},
		{url: "https://below.example/a/b/%252e%252e/c?SECRET"},
		{url: "https://below.example/a/b/%25252f/c?SECRET"},
		{url: "https://below.example/a/b/..;x/c?SECRET"},
		{url: "https://below.example/a/b/..%3B/c?SECRET"},
		{url: "https://below.example/a/b/%c0%ae/c?SECRET"},
		{url: "https://below.example/a/b/..%00/c?SECRET"},
		{url: "https://below.example/a/b/..%2500/c?SECRET"},
		{url: "https://below.example/a/b/..%0a/c?SECRET"},
		{url: "https://below.example/a/b/..%7F/c?SECRET"},

		{url: "https://a.wild.example/", ok: true},
		{url: "https://a.b-_c.wild.example/x?y", ok: true},
		{url: "https://wild.example/?SECRET"},
		{url: "https://awild.example/?SECRET"},
		{url: "https://a.wild.example.evil.test/?SECRET"},
		{url: "https://evil.test/x.wild.example/?SECRET"},
		{url: "https://a.wild.example:444/?SECRET"},
		{url: "http://a.wild.example/?SECRET"},

		{url: "https://prefix.example/foo", ok: true},
		{url: "https://prefix.example/foo?x", ok: true},
		{url: "https://prefix.example/foo/", ok: true},
		{url: "https://prefix.example/foo/bar", ok: true},
		{url: "https://prefix.example/foobar?SECRET"},
		{url: "https://prefix.example/foo%2fbar?SECRET"},
		{url: "https://prefix.example/foo;x?SECRET"},
		{url: "https://prefix.example/foo/../bar?SECRET"},
		{url: "https://prefix.example/?SECRET"},

		{url: "https://expression.example/a", ok: true},
		{url: "https://expression.example.evil.test/?SECRET"},
		{url: "https://expressionxexample/?SECRET"},

		{url: "http://127.0.0.1:1/", ok: true},
		{url: "http://127.0.0.1/", ok: true},
		{url: "https://127.0.0.1/?SECRET"},
		{url: "http://127.0.0.2/?SECRET"},
	} {
		name, _, _ := strings.Cut(tt.url, "?")
		t.Run(name, func(t *testing.T) {
			client, err := origin.New(origin.Config{
				Allowed: []string{
					"https://good.example/", "http://port.example:8080/", "https://below.example/a/b/", "https://*.wild.example",
					"https://prefix.example/foo", `^https://expression\.example/`, "http://127.0.0.1:*/",
				},
				EnsureSSL: tt.ssl,
			})
			require.NoError(t, err)
			requireAllowed(t, client, tt.url, tt.ok)
		})
	}
}

// The path of an entry binds hops as well.
func TestAllowedPathsHoldAtEveryHop(t *testing.T) {
	object := newSource(t, serveContent)
	for path, ok := range map[string]bool{"/inside/a": true, "/inside/..%2fa": false, "/insider/a": false, "/a": false} {
		first := newSource(t, redirectTo(http.StatusFound, object.URL+path))
		client := newClient(t, func(cfg *origin.Config) {
			cfg.Allowed = []string{first.URL + "/", object.URL + "/inside/"}
		})
		before := object.hits.Load()
		_, err := describe(t, client, first.URL+"/")
		if ok {
			require.NoError(t, err, path)
			assert.EqualValues(t, 1, object.hits.Load()-before, "control")
			continue
		}
		requireFailure(t, err, origin.ClassInvalidURL, true)
		assert.Zero(t, object.hits.Load()-before, path)
	}
}
