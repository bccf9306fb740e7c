package origin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestNewRejectsInvalidRoots(t *testing.T) {
	for _, root := range []string{
		"", "https://good.example", "https://good.example/a", "HTTPS://good.example/", "https://Good.example/", "https://good.example:443/",
		"https://good.example/?", "https://good.example/?a/", "https://good.example/#/", "https://u@good.example/", "good.example/",
		"ftp://good.example/", "https://good.example/a b/", "https://good.example/../", "https://good.example/a/%2e%2e/",
		"https://good.example/a%2fb/", "https:///",
	} {
		_, err := origin.New(origin.Config{AllowedRoots: []string{"https://fine.example/", root}})
		require.ErrorContains(t, err, "allowed root", root)
	}
	for _, root := range []string{"https://good.example/", "http://good.example:8080/a/b/", "https://good.example/a%20b/"} {
		_, err := origin.New(origin.Config{AllowedRoots: []string{root}})
		require.NoError(t, err, "control: %s, and no pattern", root)
	}
}

func TestCheckOfRoots(t *testing.T) {
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
		{url: "https://good.example./?SECRET"},
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

		{url: "https://pattern.example/a", ok: true},
		{url: "https://below.example/listed/../a", ok: true},
		{url: "https://pattern.example.evil.test/?SECRET"},
	} {
		name, _, _ := strings.Cut(tt.url, "?")
		t.Run(name, func(t *testing.T) {
			client, err := origin.New(origin.Config{
				AllowedRoots:    []string{"https://good.example/", "http://port.example:8080/", "https://below.example/a/b/"},
				AllowedPatterns: []string{`https://pattern\.example/`, `https://below\.example/listed/`},
				EnsureSSL:       tt.ssl,
			})
			require.NoError(t, err)
			requireAllowed(t, client, tt.url, tt.ok)
		})
	}
}

// A hop must be below a root as well.
func TestRootsHoldAtEveryHop(t *testing.T) {
	object := newSource(t, serveContent)
	for path, ok := range map[string]bool{"/inside/a": true, "/inside/..%2fa": false, "/insider/a": false, "/a": false} {
		first := newSource(t, redirectTo(http.StatusFound, object.URL+path))
		client := newClient(t, func(cfg *origin.Config) {
			cfg.AllowedPatterns, cfg.AllowedRoots = nil, []string{first.URL + "/", object.URL + "/inside/"}
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
