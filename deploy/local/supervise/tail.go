package supervise

import (
	"bytes"
	"io"
	"os"
	"strings"
)

const (
	tailLines = 15
	tailBytes = 8 << 10
)

// tail returns the last lines of a log after the offset, in a form to append to an error message.
func tail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		from = max(from, end-tailBytes)
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return ""
	}
	b, err := io.ReadAll(f)
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return "; no output in " + path
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return "; last lines of " + path + ":\n    " + strings.Join(lines, "\n    ")
}
