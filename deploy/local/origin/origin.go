// Package origin is a web server of a folder, to have something to mirror where there is no network: GET and HEAD,
// ranges, conditional requests, strong ETags. It serves files only, and none outside the folder.
package origin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// sampleSize is the length of the sample object sample.bin, in bytes: enough for a multipart upload's first two parts
// of the least size that S3 allows.
const sampleSize = 5<<20 + 12_345

// Handler serves the files below a root. The ETag is made of size and modification time: it changes with the content,
// as far as the file system can tell.
func Handler(root *os.Root) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
		f, err := root.Open(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Etag", etag(info))
		http.ServeContent(w, r, name, info.ModTime(), f)
	})
}

func etag(info fs.FileInfo) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", info.Size(), info.ModTime().UnixNano()))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// Samples puts hello.txt and sample.bin, whose bytes are the same on every machine, into a folder, unless they are
// there: a second run must not change their ETags.
func Samples(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the origin's folder: %w", err)
	}
	sample := make([]byte, sampleSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(sample) // never fails
	for name, content := range map[string][]byte{
		"hello.txt": []byte("Hello from the origin. If you read this through cloud-mirror, it is a copy.\n"), "sample.bin": sample,
	} {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return fmt.Errorf("write a sample: %w", err)
		}
	}
	return nil
}
