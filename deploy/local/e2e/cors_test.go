package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScriptReadsCopy has a script of another site fetch redirects, in a real browser. The source
// allows no script to read it, so the script reads copies only.
func TestScriptReadsCopy(t *testing.T) {
	b := startBrowser(t)
	s := newSource(t, 100_000, nil)
	object := s.object()
	requireRead := func(t *testing.T, f fetched, status int, body []byte) {
		t.Helper()
		require.Empty(t, f.Error)
		require.Equal(t, status, f.Status)
		require.Equal(t, "cors", f.Type)
		require.True(t, strings.HasPrefix(f.URL, sys.S3Endpoint(west)+"/"), f.URL)
		require.Equal(t, body, f.body)
	}
	headers := func(list ...string) map[string]any {
		set := map[string]string{}
		for i := 0; i < len(list); i += 2 {
			set[list[i]] = list[i+1]
		}
		return map[string]any{"headers": set}
	}
	var etag string
	for _, name := range []string{"the first request", "a request from memory"} {
		t.Run(name, func(t *testing.T) {
			f := b.fetch(t, redirectURL(0, west, object, ""), nil)
			requireRead(t, f, 200, s.body)
			require.Equal(t, "100000", f.Headers["content-length"])
			require.Equal(t, "bytes", f.Headers["accept-ranges"])
			require.Equal(t, "application/x-test", f.Headers["content-type"])
			etag = f.Headers["etag"]
			require.NotEmpty(t, etag)
		})
	}
	require.Equal(t, 1, s.count(http.MethodGet))
	t.Run("HEAD", func(t *testing.T) {
		f := b.fetch(t, redirectURL(0, west, object, ""), map[string]any{"method": "HEAD"})
		requireRead(t, f, 200, []byte{})
		require.Equal(t, "100000", f.Headers["content-length"])
	})
	t.Run("a range", func(t *testing.T) {
		f := b.fetch(t, redirectURL(0, west, object, ""), headers("Range", "bytes=10-19"))
		requireRead(t, f, 206, s.body[10:20])
		require.Equal(t, "bytes 10-19/100000", f.Headers["content-range"])
	})
	// Chromium sends a preflight to the front end, and another to the bucket.
	t.Run("headers that need a preflight", func(t *testing.T) {
		f := b.fetch(t, redirectURL(0, west, object, ""), headers("Range", "bytes=10-19", "If-Range", etag, "Prefer", "wait=5"))
		requireRead(t, f, 206, s.body[10:20])
		f = b.fetch(t, redirectURL(0, west, object, ""), headers("Range", "bytes=-10"))
		requireRead(t, f, 206, s.body[99_990:])
		f = b.fetch(t, redirectURL(0, west, object, ""), headers("If-None-Match", etag))
		requireRead(t, f, 304, []byte{})
	})
	t.Run("the source's 404", func(t *testing.T) {
		missing := newSource(t, 0, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) })
		f := b.fetch(t, redirectURL(0, west, missing.object(), ""), nil)
		require.Equal(t, 404, f.Status, f.Error)
		require.Contains(t, string(f.body), "BadHTTPStatus")
		require.Equal(t, "cloud-mirror; fwd=miss", f.Headers["cache-status"])
	})
}

// TestScriptReadsNoCopyWithoutTheRule removes the rule with `setup`, and sets it again.
func TestScriptReadsNoCopyWithoutTheRule(t *testing.T) {
	b := startBrowser(t)
	s := newSource(t, 1000, nil)
	target := redirectURL(0, west, s.object(), "")
	setup := func(t *testing.T, want string) {
		t.Helper()
		out, stderr, err := cli(t, "setup", "--config", sys.ConfigPath())
		require.NoError(t, err, stderr)
		require.Contains(t, out, "bucket cloud-mirror-local-us-west-2: CORS rules: "+want)
	}
	t.Run("s3.cors is false", func(t *testing.T) {
		t.Setenv("CLOUD_MIRROR_S3_CORS", "false")
		setup(t, "removed cloud-mirror-read")

		f := b.fetch(t, target, nil)
		require.Equal(t, "TypeError: Failed to fetch", f.Error)
		require.Empty(t, f.body)
		// The browser reached the copy: without CORS it loads it, for a page that can't read it.
		require.Equal(t, "opaque", b.fetch(t, target, map[string]any{"mode": "no-cors"}).Type)
		require.Equal(t, 200, b.fetch(t, sys.FrontEndURLs()[0]+"/v1/ping", nil).Status)
		requireCopy(t, s, west, do(t, http.MethodGet, target, ""))
	})
	setup(t, "set GET and HEAD for scripts of every site") // Also after a failure: all tests share the bucket
	f := b.fetch(t, target, nil)
	require.Empty(t, f.Error)
	require.Equal(t, s.body, f.body)
}
