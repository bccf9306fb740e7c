package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMirrorClientsThatSendHEAD has clients send HEAD first. The answer is 200 and has the copy's
// headers, so that a client can send its GET to the URL that the HEAD led to. Homebrew and
// huggingface_hub do that. TestClientsThatSendHEAD has clients that fail at a redirect URL.
func TestMirrorClientsThatSendHEAD(t *testing.T) {
	s := newMirrorSource(t)
	content := random(300_000)
	o := startObservedMirror(t, []settingsTree{{"name": "heads", "url": s.URL, "copy": []string{"^/files/"}}})
	const headed, redirected, got = "redirect HEAD 200", "redirect GET 302", "bucket GET 200"
	for _, c := range []struct {
		name, path string
		run        func(t *testing.T, dir, url string)
		exchanges  []string
	}{
		{"curl -I", "/files/curl", func(t *testing.T, dir, url string) {
			t.Helper()
			headers := mustRun(t, dir, "curl -sSfI", url)
			for _, header := range []string{
				"Content-Length: 300000", "Accept-Ranges: bytes", "Etag: ", "Last-Modified: ", "Content-Type: ",
			} {
				require.Contains(t, headers, "\n"+header)
			}
		}, []string{headed}},
		{"a script that GETs the URL that curl -I -L ended at", "/files/script", func(t *testing.T, dir, url string) {
			t.Helper()
			end := mustRun(t, dir, "curl -sSfIL -o headers -w %{url_effective}", url)
			mustRun(t, dir, "curl -sSfL -o out", end)
			requireFile(t, content, dir, "out")
		}, []string{headed, redirected, got}},
		{"wget --spider", "/files/spider", func(t *testing.T, dir, url string) {
			t.Helper()
			require.Contains(t, mustRun(t, dir, "wget --spider", url), "Length: 300000")
		}, []string{headed}},
		{"wget -N --no-if-modified-since sends HEAD to the bucket as well: it fails", "/files/newer", func(t *testing.T, dir, url string) {
			t.Helper()
			writeFile(t, []byte("old"), dir, "newer")
			require.NoError(t, os.Chtimes(filepath.Join(dir, "newer"), time.Time{}, time.Unix(0, 0)))
			output, err := runClient(t, dir, "wget", "-N", "--no-if-modified-since", url)
			require.Error(t, err)
			require.Contains(t, output, "ERROR 403: Forbidden")
		}, []string{headed, redirected, "bucket HEAD 403"}},
		{"wget -N", "/files/timestamps", func(t *testing.T, dir, url string) {
			t.Helper()
			writeFile(t, []byte("old"), dir, "timestamps")
			require.NoError(t, os.Chtimes(filepath.Join(dir, "timestamps"), time.Time{}, time.Unix(0, 0)))
			mustRun(t, dir, "wget -q -N", url)
			requireFile(t, content, dir, "timestamps")
		}, []string{redirected, got}},
		{"aria2c --use-head", "/files/aria", func(t *testing.T, dir, url string) {
			t.Helper()
			mustRun(t, dir, "aria2c --no-conf --use-head=true -o out", url)
			requireFile(t, content, dir, "out")
		}, []string{headed, "redirect GET bytes=0-299999 302", "bucket GET bytes=0-299999 206"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.write(t, map[string][]byte{c.path: content})
			for _, copied := range []bool{true, false} {
				c.run(t, t.TempDir(), o.mirrorURL("heads")+c.path)
				texts, _ := o.takeURIs("/heads"+c.path, hashOf(s.URL+c.path))
				require.Equal(t, c.exchanges, texts)
				workers, others := s.take()
				require.Equal(t, copied, len(workers) > 0, "workers read %q", workers)
				require.Empty(t, others)
			}
		})
	}
}

// A HEAD of a mutable path leads to the source, which answers it.
func TestMirrorHEADOfAMutablePath(t *testing.T) {
	s := newMirrorSource(t)
	s.write(t, map[string][]byte{"/latest": []byte("1")})
	o := startObservedMirror(t, []settingsTree{{"name": "heads", "url": s.URL, "copy": []string{"^/files/"}}})
	headers := mustRun(t, t.TempDir(), "curl -sSfIL", o.mirrorURL("heads")+"/latest")
	require.Contains(t, headers, "Cache-Status: cloud-mirror; fwd=bypass\r\n")
	require.Contains(t, headers, "Content-Length: 1\r\n")
	workers, others := s.take()
	require.Empty(t, workers)
	require.Equal(t, []string{"/latest"}, others)
}
