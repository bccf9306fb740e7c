package e2e

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/origin"
)

// mirrorSource is the source of an upstream: the local origin, with a folder of its own. A path
// that names a folder leads to its index.html. A ledger holds the paths that workers and clients
// requested.
type mirrorSource struct {
	dir string
	// URL has a host name, as upstreams must.
	URL string

	mu              sync.Mutex
	workers, others map[string]int // By path, as it was sent.
}

func newMirrorSource(t *testing.T) *mirrorSource {
	t.Helper()
	s := &mirrorSource{dir: t.TempDir(), workers: map[string]int{}, others: map[string]int{}}
	root, err := os.OpenRoot(s.dir)
	require.NoError(t, err)
	files := origin.Handler(root)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if r.UserAgent() == agent {
			s.workers[r.RequestURI]++
		} else {
			s.others[r.RequestURI]++
		}
		s.mu.Unlock()
		if info, err := root.Stat(strings.Trim(r.URL.Path, "/")); err == nil && info.IsDir() {
			r.URL.Path += "/index.html"
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		root.Close()
	})
	s.URL = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
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

// take returns the paths that workers and clients requested since the last call.
func (s *mirrorSource) take() (workers, others []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	workers, others = slices.Sorted(maps.Keys(s.workers)), slices.Sorted(maps.Keys(s.others))
	clear(s.workers)
	clear(s.others)
	return workers, others
}
