package origin_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/origin"
)

func TestHandler(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "origin")
	if err := origin.Samples(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(parent, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(parent, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	h := origin.Handler(root)
	call := func(method, target, header, value string) *http.Response {
		r := httptest.NewRequest(method, target, nil)
		if header != "" {
			r.Header.Set(header, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	tag := call("GET", "/hello.txt", "", "").Header.Get("ETag")
	if len(tag) < 10 || tag[0] != '"' {
		t.Fatalf("ETag is %q, want a strong ETag", tag)
	}
	if err := origin.Samples(dir); err != nil { // A second run
		t.Fatal(err)
	}
	tests := []struct {
		method, target, header, value string
		status                        int
		length                        string
	}{
		{"HEAD", "/sample.bin", "", "", 200, "5255225"},
		{"HEAD", "/files/hello.txt", "", "", 200, "77"},
		{"GET", "/files/", "", "", 404, ""},
		{"GET", "/hello.txt", "Range", "bytes=0-4", 206, "5"},
		{"GET", "/hello.txt", "If-None-Match", tag, 304, ""},
		{"GET", "/missing", "", "", 404, ""},
		{"GET", "/", "", "", 404, ""},
		{"GET", "/../secret", "", "", 404, ""},
		{"GET", "/link", "", "", 404, ""},
		{"PUT", "/hello.txt", "", "", 405, ""},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target+" "+tt.header, func(t *testing.T) {
			r := call(tt.method, tt.target, tt.header, tt.value)
			if r.StatusCode != tt.status {
				t.Errorf("status is %d, want %d", r.StatusCode, tt.status)
			}
			if got := r.Header.Get("Content-Length"); tt.length != "" && got != tt.length {
				t.Errorf("length is %s, want %s", got, tt.length)
			}
		})
	}
}
