package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// member is a file of an archive.
type member struct{ name, content string }

func zipped(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.Create(m.name)
		require.NoError(t, err)
		_, err = io.WriteString(w, m.content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func tarred(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, m := range members {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content))}))
		_, err := io.WriteString(w, m.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	return b.Bytes()
}

// wheel is the name of the only file of a Python package's version 1.0.0.
const wheel = "cmprobe-1.0.0-py3-none-any.whl"

// newWheel returns a version of a Python package. Its module holds a text.
func newWheel(t *testing.T, version, text string) []byte {
	t.Helper()
	info := "cmprobe-" + version + ".dist-info/"
	return zipped(t,
		member{"cmprobe.py", text},
		member{info + "METADATA", "Metadata-Version: 2.1\nName: cmprobe\nVersion: " + version + "\n"},
		member{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		member{info + "RECORD", "cmprobe.py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	)
}

// newTarball returns a version of an npm package. Its module holds a text.
func newTarball(t *testing.T, manifest, text string) []byte {
	t.Helper()
	return tarred(t, member{"package/package.json", manifest}, member{"package/index.js", text})
}

// newModule returns the files of a Go module's version, by the names that a module proxy gives them.
func newModule(t *testing.T, version, text string) map[string][]byte {
	t.Helper()
	const mod = "module example.test/cmprobe\n"
	prefix := "example.test/cmprobe@v" + version + "/"
	return map[string][]byte{
		"v" + version + ".info": []byte(`{"Version":"v` + version + `","Time":"2026-01-02T03:04:05Z"}`),
		"v" + version + ".mod":  []byte(mod),
		"v" + version + ".zip":  zipped(t, member{prefix + "go.mod", mod}, member{prefix + "cmprobe.txt", text}),
	}
}

// newIndex serves pages by their path, and redirects other paths by their last segment.
func newIndex(t *testing.T, pages, redirects map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text, ok := pages[r.URL.Path]; ok {
			w.Header().Set("Content-Type", "application/json")
			if strings.HasPrefix(text, "<") {
				w.Header().Set("Content-Type", "text/html")
			}
			_, _ = io.WriteString(w, text)
		} else if target := redirects[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]; target != "" {
			http.Redirect(w, r, target, http.StatusFound)
		} else {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}
