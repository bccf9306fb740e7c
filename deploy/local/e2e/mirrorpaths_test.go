package e2e

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMirrorPaths has curl get random paths and queries from a source, directly and through the
// mirror. The worker must send the same path and query as curl, byte for byte, and a redirect to
// the source must lead to the same URL. The body is the path and the query, so that curl gets the
// bytes of the right object.
func TestMirrorPaths(t *testing.T) {
	var mu sync.Mutex
	var workers, others []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.UserAgent() == agent {
			workers = append(workers, r.RequestURI)
		} else {
			others = append(others, r.RequestURI)
		}
		_, _ = io.WriteString(w, r.RequestURI)
	}))
	t.Cleanup(server.Close)
	take := func() (fromWorkers, fromOthers []string) {
		mu.Lock()
		defer mu.Unlock()
		fromWorkers, fromOthers, workers, others = workers, others, nil, nil
		return fromWorkers, fromOthers
	}
	source := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	o := startObservedMirror(t, []settingsTree{{"name": "paths", "url": source, "copy": []string{"^/copied/"}}})
	// The recording proxy in front of it drops queries that it can't parse.
	mirror := strings.Replace(o.mirrorURL("paths"), o.front.Listener.Addr().String(), o.listen, 1)

	seed := fnv.New64()
	_, _ = seed.Write([]byte(testSeed(t)))
	random := rand.New(rand.NewPCG(seed.Sum64(), 0))
	copies, passed := 0, 0
	for i := range 60 {
		folder := []string{"copied", "passed"}[i%2]
		path := fmt.Sprintf("/%s/%d%s", folder, i, randomTarget(random))
		direct := mustRun(t, t.TempDir(), "curl -sSf -g --path-as-is", source+path)
		fromWorkers, fromOthers := take()
		require.Empty(t, fromWorkers)
		require.Len(t, fromOthers, 1)
		want := fromOthers[0]
		require.Equal(t, want, direct)

		dir := t.TempDir()
		mustRun(t, dir, "curl -sSf -g --path-as-is -D headers", mirror+path)
		location := headerOf(t, dir, "Location")
		fromWorkers, fromOthers = take()
		require.Empty(t, fromOthers)
		if location == source+path {
			passed++
			continue
		}
		copies++
		require.Equal(t, "copied", folder, path)
		require.NotEmpty(t, fromWorkers)
		for _, seen := range fromWorkers {
			require.Equal(t, want, seen)
		}
		require.Equal(t, want, mustRun(t, dir, "curl -sSf -g", location), path)
		_, fromOthers = take()
		require.Empty(t, fromOthers, "control: these are the bytes of the copy")
	}
	require.Greater(t, copies, 15, "paths without a dot segment or an encoded slash are copied")
	require.GreaterOrEqual(t, passed, 30)
}

// headerOf returns a header in the file headers.
func headerOf(t *testing.T, dir, name string) string {
	t.Helper()
	headers, err := os.ReadFile(filepath.Join(dir, "headers"))
	require.NoError(t, err)
	for line := range strings.Lines(string(headers)) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSuffix(value, "\r\n")
		}
	}
	require.Fail(t, "no such header", "%s in %q", name, headers)
	return ""
}

// randomTarget returns the rest of a path, and often a query, of bytes that URLs may contain.
func randomTarget(r *rand.Rand) string {
	const legal = "abzAZ09-._~!$&'()*+,;=:@"
	pieces := []string{"/", "//", "%20", "%25", "%2B", "%2b", "%C3%A9", "%3F", "%23", "+", "a"}
	if r.IntN(3) == 0 {
		pieces = append(pieces, "/../", "/./", "%2F", "%5C", "%2e%2e/")
	}
	var b strings.Builder
	write := func(n int, more ...string) {
		for range n {
			if r.IntN(2) == 0 {
				b.WriteByte(legal[r.IntN(len(legal))])
			} else {
				all := slices.Concat(pieces, more)
				b.WriteString(all[r.IntN(len(all))])
			}
		}
	}
	write(r.IntN(12))
	if r.IntN(2) == 0 {
		b.WriteByte('?')
		write(r.IntN(12), "?", "a=1", "&b", "&&", "%", "%zz", "=%")
	}
	return b.String()
}
