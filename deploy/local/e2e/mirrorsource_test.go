package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/origin"
)

// ledger holds the paths and queries that workers and clients requested, as they were sent.
type ledger struct {
	mu              sync.Mutex
	workers, others []string
}

func (l *ledger) add(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.UserAgent() == agent {
		l.workers = append(l.workers, r.RequestURI)
	} else {
		l.others = append(l.others, r.RequestURI)
	}
}

// take returns the requests since the last call.
func (l *ledger) take() (workers, others []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	workers, others, l.workers, l.others = l.workers, l.others, nil, nil
	return workers, others
}

// upstreamURL returns a URL of this machine with a host name, as upstreams must have.
func upstreamURL(url string) string { return strings.Replace(url, "127.0.0.1", "localhost", 1) }

// upstreamObject returns a new URL below upstreamURL of the source. It has no signed query.
func upstreamObject(s *source) string {
	return strings.TrimSuffix(upstreamURL(s.object()), "?sig="+secret)
}

// mirrorSource is the source of an upstream: the local origin, with a folder of its own. A path
// that names a folder leads to its index.html.
type mirrorSource struct {
	ledger
	dir string
	URL string // An upstreamURL
}

func newMirrorSource(t *testing.T) *mirrorSource {
	t.Helper()
	s := &mirrorSource{dir: t.TempDir()}
	root, err := os.OpenRoot(s.dir)
	require.NoError(t, err)
	files := origin.Handler(root)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.add(r)
		if info, err := root.Stat(strings.Trim(r.URL.Path, "/")); err == nil && info.IsDir() {
			r.URL.Path += "/index.html"
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		root.Close()
	})
	s.URL = upstreamURL(server.URL)
	return s
}

// write writes files by their paths. A file that has the same bytes keeps its ETag.
func (s *mirrorSource) write(t *testing.T, files map[string][]byte) {
	t.Helper()
	for path, content := range files {
		name := filepath.Join(s.dir, filepath.FromSlash(path))
		if old, err := os.ReadFile(name); err == nil && string(old) == string(content) {
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		writeFile(t, content, name)
	}
}
