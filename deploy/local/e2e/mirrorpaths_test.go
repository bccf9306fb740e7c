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
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMirrorPaths has curl get random paths and queries from a source, directly and through the
// mirror. The worker must send the same path and query as curl, byte for byte. A redirect to the
// source must lead to the same URL. The body is the path and the query, so that curl gets the bytes
// of the right object.
func TestMirrorPaths(t *testing.T) {
	var requests ledger
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.add(r)
		_, _ = io.WriteString(w, r.RequestURI)
	}))
	t.Cleanup(server.Close)
	source := upstreamURL(server.URL)
	o := startObservedMirror(t, []settingsTree{{"name": "paths", "url": source, "copy": []string{"^/copied/"}}})
	// The recording proxy in front of it drops queries that it can't parse.
	mirror := strings.Replace(o.mirrorURL("paths"), o.front.Listener.Addr().String(), o.listen, 1)

	seed := fnv.New64()
	_, _ = seed.Write([]byte(testSeed(t)))
	random := rand.New(rand.NewPCG(seed.Sum64(), 0))
	copies, passed := 0, 0
	// How many paths can be copied is up to chance.
	for i := 0; copies < 15 || passed < 30; i++ {
		require.Less(t, i, 300, "paths without a dot segment or an encoded slash are copied")
		folder := []string{"copied", "passed"}[i%2]
		path := fmt.Sprintf("/%s/%d%s", folder, i, randomTarget(random))
		direct := mustRun(t, t.TempDir(), "curl -sSf -g --path-as-is", source+path)
		workers, others := requests.take()
		require.Empty(t, workers)
		require.Len(t, others, 1)
		want := others[0]
		require.Equal(t, want, direct)

		dir := t.TempDir()
		mustRun(t, dir, "curl -sSf -g --path-as-is -D headers", mirror+path)
		location := headerOf(t, dir, "Location")
		workers, others = requests.take()
		require.Empty(t, others)
		if location == source+path {
			require.Empty(t, workers, path)
			passed++
			continue
		}
		copies++
		require.Equal(t, "copied", folder, path)
		require.NotEmpty(t, workers)
		for _, seen := range workers {
			require.Equal(t, want, seen)
		}
		require.Equal(t, want, mustRun(t, dir, "curl -sSf -g", location), path)
		_, others = requests.take()
		require.Empty(t, others, "control: these are the bytes of the copy")
	}
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
