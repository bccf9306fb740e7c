package frontend_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// redirected returns the redirects to copies, and the bytes of these copies.
func (f *fixture) redirected(t testing.TB, pool, upstream string) [2]float64 {
	t.Helper()
	return [2]float64{
		f.metric(t, "cloud_mirror_copy_redirects_total", pool, upstream),
		f.metric(t, "cloud_mirror_redirected_bytes_total", pool, upstream),
	}
}

func TestRedirectedBytes(t *testing.T) {
	present := func(size int64) *cache.Entry {
		e := cachetest.Rules().Present(time.Now(), cache.Copy{Size: size})
		return &e
	}
	failed := cachetest.Rules().Failed(time.Now(), cache.Reason{Class: "BadHTTPStatus", Status: 403})
	for name, tc := range map[string]struct {
		method string
		entry  *cache.Entry
		status int
		want   [2]float64 // After three requests.
	}{
		"GET of a copy":                  {"GET", present(5000), 302, [2]float64{3, 15000}},
		"GET of an empty copy":           {"GET", present(0), 302, [2]float64{3, 0}},
		"GET of a copy of terabytes":     {"GET", present(48 << 40), 302, [2]float64{3, 3 * 48 << 40}},
		"HEAD of a copy":                 {"HEAD", present(5000), 302, [2]float64{}},
		"GET of a copy that is late":     {"GET", nil, 302, [2]float64{}},
		"GET of an object that failed":   {"GET", &failed, 302, [2]float64{}},
		"another digest than the copy's": {"GET", func() *cache.Entry { e := present(5000); e.SHA256 = strings.Repeat("1", 64); return e }(), 302, [2]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			for _, pool := range []string{"s3_us-west-2", "s3_us-east-1"} {
				require.Equal(t, [2]float64{}, f.redirected(t, pool, "none"), "the start")
			}
			if tc.entry != nil {
				f.put(t, *tc.entry)
			}
			query := "?max_wait=0"
			if tc.entry != nil && tc.entry.SHA256 != "" {
				query = "?sha256=" + strings.Repeat("2", 64)
			}
			for range 3 {
				require.Equal(t, tc.status, f.ask(t, tc.method, path(query)).status)
			}
			require.Equal(t, tc.want, f.redirected(t, "s3_us-west-2", "none"))
			require.Equal(t, [2]float64{}, f.redirected(t, "s3_us-east-1", "none"), "the other pool")
		})
	}
}

// The redirect to a copy that arrives within the wait counts, as one from memory does.
func TestRedirectedBytesOfACopyThatArrives(t *testing.T) {
	f := newFixture(t)
	f.queue.copy = func(queue.Request) {
		_ = f.cache.Put(context.Background(), key(), 0, cachetest.Rules().Present(time.Now(), cache.Copy{Size: 5000}))
	}
	require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("")).location)
	require.Equal(t, [2]float64{1, 5000}, f.redirected(t, "s3_us-west-2", "none"))
}

// Copies have the upstream of their source, whichever route leads to them.
func TestRedirectedBytesByUpstream(t *testing.T) {
	f := newFixture(t, mirroring)
	for _, name := range []string{"none", "example.com", "below", "forbidden.example"} {
		require.Equal(t, [2]float64{}, f.redirected(t, "s3_us-west-2", name), "the start of %s", name)
	}
	f.copied(t, mirrored)
	const redirect = "/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Ffiles%2Fa.zip"
	for range 2 {
		require.Equal(t, copyOf(mirrored), f.ask(t, "GET", mirrorPath).location)
		require.Equal(t, copyOf(mirrored), f.ask(t, "GET", redirect).location)
	}
	require.Equal(t, [2]float64{4, 20000}, f.redirected(t, "s3_us-west-2", "example.com"))
	require.Equal(t, http.StatusOK, f.ask(t, "HEAD", mirrorPath).status)
	require.Equal(t, "https://example.com/index", f.ask(t, "GET", "/v1/mirror/s3/us-west-2/example.com/index").location)
	require.Equal(t, [2]float64{4, 20000}, f.redirected(t, "s3_us-west-2", "example.com"), "neither a HEAD nor a bypass")

	f.copied(t, "https://example.com/below/a")
	f.ask(t, "GET", "/v1/mirror/s3/us-west-2/below/a")
	require.Equal(t, [2]float64{1, 5000}, f.redirected(t, "s3_us-west-2", "below"), "the longest root")
	require.Equal(t, [2]float64{}, f.redirected(t, "s3_us-west-2", "none"))
}
