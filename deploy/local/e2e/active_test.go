package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// beacons is a server that active documents call from their scripts.
type beacons struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]int
}

func newBeacons(t *testing.T) *beacons {
	t.Helper()
	b := &beacons{seen: map[string]int{}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen[r.URL.Path]++
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *beacons) count(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen["/"+name]
}

// TestActiveCopyIsDownloaded opens copies of active documents in a real browser, with and without
// pools[].download_active.
func TestActiveCopyIsDownloaded(t *testing.T) {
	b, called := startBrowser(t), newBeacons(t)
	document := func(kind, text string) *source {
		return newSource(t, 0, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Disposition", `inline; filename="a.doc"`)
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(w, text)
			}
		})
	}
	script := func(name string) string { return "new Image().src = '" + called.URL + "/" + name + "'" }
	html := func(name string) string { return "<!doctype html><script>" + script(name) + "</script>" }
	svg := func(name string) string {
		return `<svg xmlns="http://www.w3.org/2000/svg"><script>` + script(name) + `</script></svg>`
	}
	plain := map[string]string{}
	for name, s := range map[string]*source{
		"plain-html": document("text/html; charset=utf-8", html("plain-html")), "plain-svg": document("image/svg+xml", svg("plain-svg")),
	} {
		plain[name] = s.object()
		a := do(t, "GET", redirectURL(0, west, plain[name], ""), "")
		require.True(t, a.isCopy(), a.location)
	}

	for _, w := range workers() {
		pause(t, w)
	}
	config := editedConfig(t, func(c settingsTree) { c.setPool(t, west, "download_active", true) })
	startProcess(t, "download-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --config "+config))
	for name, s := range map[string]*source{
		"html": document("text/html; charset=utf-8", html("html")), "svg": document("image/svg+xml", svg("svg")),
	} {
		t.Run(name, func(t *testing.T) {
			object := s.object()
			a := do(t, "GET", redirectURL(0, west, object, ""), "")
			require.True(t, a.isCopy(), a.location)
			copied, err := http.Get(a.location)
			require.NoError(t, err)
			text, err := io.ReadAll(copied.Body)
			require.NoError(t, err)
			require.NoError(t, copied.Body.Close())
			require.Equal(t, `attachment; filename="a.doc"`, copied.Header.Get("Content-Disposition"))
			require.Contains(t, string(text), called.URL, "the copy has the document's bytes")
			loaded := b.open(t, redirectURL(0, west, object, ""), 3*time.Second)
			require.True(t, b.open(t, redirectURL(0, west, plain["plain-"+name], ""), deadline), "the control is rendered")
			eventually(t, func() bool { return called.count("plain-"+name) > 0 }, "the script of the control runs")
			require.False(t, loaded, "the browser rendered the copy")
			require.Zero(t, called.count(name), "the script of the copy ran")
		})
	}
}
