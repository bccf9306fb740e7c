package system_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	wideEntry   = "source.allowed has an entry below which anyone can get a host"
	wideNetwork = "source.allowed_networks has a network so wide"
)

// TestPolicyIsLoggedAtTheStart checks the line, and the warnings of entries and networks that are
// too wide.
func TestPolicyIsLoggedAtTheStart(t *testing.T) {
	cfg := load(t, "CLOUD_MIRROR_SOURCE_ALLOWED=https://example.com/ ^https?://[^/]*\\.example\\.org/",
		"CLOUD_MIRROR_SOURCE_ALLOWED_NETWORKS=10.0.0.0/8 fd00::/8", "CLOUD_MIRROR_SOURCE_DENIED_NETWORKS=10.1.0.0/16")
	f := startFrontend(t, cfg)
	require.Equal(t, 1, f.logged("sources allowed"))
	require.JSONEq(t, `{"level": "info", "message": "sources allowed", "ensure_ssl": true,
		"allowed": ["https://example.com/", "https://*.example.org/", "http://*.example.org/"], "upstreams": [],
		"allowed_networks": ["10.0.0.0/8", "fd00::/8"], "denied_networks": ["10.1.0.0/16"]}`, f.line(t, "sources allowed"))
	require.Zero(t, f.logged(wideEntry)+f.logged(wideNetwork))

	f = startFrontend(t, load(t, "CLOUD_MIRROR_SOURCE_ALLOWED=https://*.com/ https://com/ https://*.co.uk/",
		"CLOUD_MIRROR_SOURCE_ALLOWED_NETWORKS=0.0.0.0/0 ::/0 8.0.0.0/7 2000::/3 ::ffff:0:0/96 10.0.0.0/8 fc00::/7"))
	require.Equal(t, 2, f.logged(wideEntry))
	require.Equal(t, 5, f.logged(wideNetwork))
}

// TestHostsOfURLs checks hosts with a trailing dot, and hosts that are no DNS names, through a
// front end. A wait of 0 redirects to the source at once.
func TestHostsOfURLs(t *testing.T) {
	f := startFrontend(t, load(t))
	location := func(raw string) (int, string, string) {
		target := "http://" + f.listen + "/v1/redirect/s3/us-west-2/" + url.QueryEscape(raw) + "?max_wait=0"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		require.NoError(t, err)
		resp, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		_, body := get(t, target)
		return resp.StatusCode, resp.Header.Get("Location"), body
	}
	for _, raw := range []string{"https://example.com/a", "https://example.com./a", "https://EXAMPLE.com.:443/a"} {
		status, to, _ := location(raw)
		require.Equal(t, http.StatusFound, status, raw)
		require.Equal(t, "https://example.com/a", to, raw)
	}
	for _, raw := range []string{
		"https://example.com../a", "https://a..example.com/a", "https://.example.com/a", "https://./a",
		"https://" + strings.Repeat("a", 64) + ".example.com/", "https://" + strings.Repeat("a.", 126) + "example.com/",
	} {
		status, _, body := location(raw)
		require.Equal(t, http.StatusBadRequest, status, raw)
		require.Contains(t, body, `"code":"InputError"`, raw)
		require.Contains(t, body, "url has a host ", raw)
	}
	status, _, body := location("https://" + strings.Repeat("a", 63) + ".example.com/")
	require.Equal(t, http.StatusForbidden, status, "control: a valid name that is not allowed")
	require.Contains(t, body, "not on the list of allowed sources")
	status, _, body = location("http://127.0.0.1:1/")
	require.Equal(t, http.StatusForbidden, status, body)
}
