package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClientsThatSendHEAD has clients send HEAD first. A signature for HEAD does not allow GET. So a
// client must send its GET to the redirect URL, and not to the URL that the HEAD led to.
func TestClientsThatSendHEAD(t *testing.T) {
	o := startObserved(t)
	s := newSource(t, 300_000, nil)
	const redirected, headed, got, refused = "redirect HEAD 302", "bucket HEAD 200", "bucket GET 200", "bucket GET 403"
	for _, c := range []struct {
		name      string
		run       func(t *testing.T, dir, url string)
		exchanges []string
	}{
		{"curl -I -L", func(t *testing.T, dir, url string) {
			t.Helper()
			require.Contains(t, mustRun(t, dir, "curl -sSfIL", url), "Content-Length: 300000\r\n")
		}, []string{redirected, headed}},
		{"wget --spider", func(t *testing.T, dir, url string) {
			t.Helper()
			require.Contains(t, mustRun(t, dir, "wget --spider", url), "Length: 300000")
		}, []string{redirected, headed}},
		{"aria2c --dry-run", func(t *testing.T, dir, url string) {
			t.Helper()
			mustRun(t, dir, "aria2c --no-conf --dry-run=true", url)
		}, []string{redirected, headed}},
		{"aria2c --use-head: it fails", func(t *testing.T, dir, url string) {
			t.Helper()
			output, err := runClient(t, dir, "aria2c", "--no-conf", "--use-head=true", "-o", "out", url)
			require.Error(t, err)
			require.Contains(t, output, "status=403")
		}, []string{redirected, headed, "bucket GET bytes=0-299999 403"}},
		{"wget -N --no-if-modified-since: it fails", func(t *testing.T, dir, url string) {
			t.Helper()
			mustRun(t, dir, "wget -q", url)
			names, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, names, 1)
			require.NoError(t, os.Chtimes(filepath.Join(dir, names[0].Name()), time.Time{}, time.Unix(0, 0)))
			output, err := runClient(t, dir, "wget", "-N", "--no-if-modified-since", url)
			require.Error(t, err)
			require.Contains(t, output, "ERROR 403: Forbidden")
		}, []string{"redirect GET 302", got, redirected, headed, refused}},
		{"a script that GETs the URL that curl -I -L ended at: it fails", func(t *testing.T, dir, url string) {
			t.Helper()
			end := mustRun(t, dir, "curl -sSfIL -o headers -w %{url_effective}", url)
			_, err := runClient(t, dir, "curl", "-sSf", "-o", "out", end)
			require.ErrorContains(t, err, "403")
		}, []string{redirected, headed, refused}},
		{"a script that GETs the URL that curl -r 0-0 -L ended at", func(t *testing.T, dir, url string) {
			t.Helper()
			end := mustRun(t, dir, "curl -sSfL -r 0-0 -o first -w %{url_effective}", url)
			mustRun(t, dir, "curl -sSf -o out", end)
			requireFile(t, s.body, dir, "out")
		}, []string{"redirect GET bytes=0-0 302", "bucket GET bytes=0-0 206", got}},
	} {
		t.Run(c.name, func(t *testing.T) {
			object, before := s.object(), s.count(http.MethodGet)
			for _, want := range []string{"cloud-mirror; fwd=miss", "cloud-mirror; hit"} {
				c.run(t, t.TempDir(), o.url(object))
				texts, cacheStatuses := o.take(object)
				require.Equal(t, c.exchanges, texts)
				require.Equal(t, want, cacheStatuses[0])
				require.Equal(t, before+1, s.count(http.MethodGet))
			}
		})
	}
}

// TestConditionalClients has clients revalidate a file. The validators are those of the copy: its
// ETag, and the time at which it was stored.
func TestConditionalClients(t *testing.T) {
	o := startObserved(t)
	s := newSource(t, 300_000, nil)
	object := s.object()
	_, _, header := fetch(t, o.url(object))
	o.take(object)
	stored, err := http.ParseTime(header.Get("Last-Modified"))
	require.NoError(t, err)
	// The local S3 server compares fractions of seconds, and ignores a date in the future.
	later := stored.Add(time.Second)
	eventually(t, func() bool { return time.Now().After(later) }, "the copy is a second old")
	after, before := later.Format(http.TimeFormat), stored.Add(-time.Second).Format(http.TimeFormat)
	const fresh, stale = "bucket GET 304", "bucket GET 200"
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"curl -z, not modified", fresh, []string{"curl", "-sSfL", "-o", "out", "-z", after}},
		{"curl -z, modified", stale, []string{"curl", "-sSfL", "-o", "out", "-z", before}},
		{"curl --etag-compare, the same", fresh, []string{"curl", "-sSfL", "-o", "out", "--etag-compare", "etag"}},
		{"curl --etag-compare, another", stale, []string{"curl", "-sSfL", "-o", "out", "--etag-compare", "other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, []byte(header.Get("ETag")), dir, "etag")
			writeFile(t, []byte(`"e"`), dir, "other") // The source's
			_, err := runClient(t, dir, append(c.args, o.url(object))...)
			require.NoError(t, err)
			texts, _ := o.take(object)
			require.Equal(t, []string{"redirect GET 302", c.want}, texts)
			if c.want == stale {
				requireFile(t, s.body, dir, "out")
			} else {
				require.NoFileExists(t, filepath.Join(dir, "out"))
			}
		})
	}
	t.Run("wget -N", func(t *testing.T) {
		dir := t.TempDir()
		mustRun(t, dir, "wget -q", o.url(object))
		names, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, names, 1)
		file := filepath.Join(dir, names[0].Name())
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, stored.Unix(), info.ModTime().Unix())
		require.NoError(t, os.Chtimes(file, time.Time{}, later))
		mustRun(t, dir, "wget -q -N", o.url(object))
		texts, _ := o.take(object)
		require.Equal(t, []string{"redirect GET 302", stale, "redirect GET 302", fresh}, texts)
		requireFile(t, s.body, file)
	})
	require.Equal(t, 1, s.count(http.MethodGet))
}
