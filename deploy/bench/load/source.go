package load

import (
	"net/http"
	"strconv"
)

// SmallObject is the size of a source's small objects, in bytes.
const SmallObject = 1 << 10

// ServeSmall serves a small object under every path.
func ServeSmall(w http.ResponseWriter, r *http.Request) {
	DescribeObject(w, SmallObject)
	if r.Method == http.MethodGet {
		_, _ = w.Write(make([]byte, SmallObject))
	}
}

// DescribeObject sets the headers of an object.
func DescribeObject(w http.ResponseWriter, size int) {
	h := w.Header()
	h.Set("ETag", `"e"`)
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(size))
}
