package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// TestREADMETryIt runs the requests of README.md as they are written, at this stack's addresses.
func TestREADMETryIt(t *testing.T) {
	root, err := stack.FindRoot(".")
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	frontEnd, origin := strings.TrimPrefix(sys.FrontEndURLs()[0], "http://"), strings.TrimPrefix(sys.OriginURL(), "http://")
	here := strings.NewReplacer(
		"127.0.0.1:8080", frontEnd, "127.0.0.1:8090", origin, "127.0.0.1%3A8090", strings.Replace(origin, ":", "%3A", 1),
	)
	wants := [][]string{
		{"^Hello from the origin. If you read"},
		{"^Hello from the origin. Files", "Cache-Status: cloud-mirror; fwd=bypass\r\n", "\nHello from the origin. If you read"},
		{"Cache-Status: cloud-mirror; fwd=miss\r\n(.*\n)*.*Cache-Status: cloud-mirror; hit\r\n"},
		{`^{"status":"present",`, `"region":"eu-central-1","status":"p`},
	}
	blocks := regexp.MustCompile("(?s)```sh\n([^`]*?/v1/[^`]*?)```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, len(wants))
	for i, block := range blocks {
		output := mustRun(t, t.TempDir(), "bash -euc", strings.ReplaceAll(here.Replace(block[1]), "curl ", "curl -sS --fail "))
		for _, want := range wants[i] {
			require.Regexp(t, want, output, block[1])
		}
	}
}
