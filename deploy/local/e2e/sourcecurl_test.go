package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The exit codes of curl that rows expect.
const (
	curlOK         = 0
	curlProtocol   = 1 // The response is not HTTP
	curlRefused    = 7
	curlWeird      = 8  // The server's reply can't be parsed
	curlTruncated  = 18 // The body ended early
	curlTimeout    = 28
	curlRedirects  = 47
	curlNoResponse = 52
	curlReceive    = 56 // The connection broke
)

// curlPatience bounds one curl, unless its row sets less.
const curlPatience = 20 * time.Second

// curlResult is what curl got.
type curlResult struct {
	exit   int
	status int
	header map[string]string // Of the last response. Lines of one name are joined by ", "
	body   []byte
}

func (r curlResult) String() string {
	return fmt.Sprintf("exit %d, status %d, %d bytes, %v", r.exit, r.status, len(r.body), r.header)
}

// curl runs the real curl. Its absence is a failure.
func curl(t *testing.T, patience time.Duration, args ...string) (r curlResult) {
	t.Helper()
	if patience == 0 {
		patience = curlPatience
	}
	dir := t.TempDir()
	head, body := filepath.Join(dir, "head"), filepath.Join(dir, "body")
	cmd := exec.CommandContext(t.Context(), "curl", append([]string{
		"--disable", "--silent", "--show-error", "--globoff", "--noproxy", "*", "--dump-header", head, "--output", body,
		"--write-out", "%{http_code}", "--max-time", fmt.Sprintf("%.1f", patience.Seconds()),
	}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		r.exit = exited.ExitCode()
	} else {
		require.NoError(t, err)
	}
	_, err = fmt.Sscan(out.String(), &r.status)
	require.NoError(t, err, "curl printed %q and %q", &out, &complaint)
	r.header = lastHead(t, head)
	r.body, err = os.ReadFile(body)
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
	return r
}

// lastHead returns the headers of the last response in a file from --dump-header, as bytes.
func lastHead(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	var header map[string]string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, "HTTP/"):
			header = map[string]string{}
		case ok && header != nil:
			name, value = strings.ToLower(name), strings.TrimSpace(value)
			if before, twice := header[name]; twice {
				value = before + ", " + value
			}
			header[name] = value
		}
	}
	return header
}
