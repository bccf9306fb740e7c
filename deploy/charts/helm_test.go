package charts

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// root is the repository, and chart the chart.
const (
	root  = "../.."
	chart = "cloud-mirror"
)

func programs(t *testing.T) tools.Tools {
	t.Helper()
	dir, err := filepath.Abs(root)
	require.NoError(t, err)
	return tools.Tools{Root: dir, Log: os.Stderr}
}

// helm runs Helm, and returns its standard output. The error has the text of standard error.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := programs(t).Pinned(t.Context(), tools.Helm())
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, args...)
	// No settings, repositories or cluster of the user.
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "none")}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), errors.Join(err, errors.New(stderr.String()))
	}
	return stdout.String(), nil
}

// examples returns the files of values in examples.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("examples/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, 5)
	return files
}

// forEach runs a test with the release of each file of examples.
func forEach(t *testing.T, test func(t *testing.T, r release)) {
	t.Helper()
	for _, file := range examples(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			test(t, render(t, file))
		})
	}
}

func TestLint(t *testing.T) {
	for _, file := range examples(t) {
		out, err := helm(t, "lint", "--strict", chart, "-f", file)
		require.NoError(t, err, out)
		require.Contains(t, out, "1 chart(s) linted, 0 chart(s) failed")
	}
}

// TestNotes renders the text that an operator sees after an installation.
func TestNotes(t *testing.T) {
	for file, want := range map[string]string{
		"examples/minimal.yaml":           "port-forward service/cm-cloud-mirror-frontend 8080:80",
		"examples/everything.yaml":        "https://mirror.example.com/v1/ping",
		"examples/own-temporal-mtls.yaml": "Workers copy into s3_eu-central-1.",
	} {
		out, err := helm(t, "install", "--dry-run=client", "cm", chart, "-f", file)
		require.NoError(t, err)
		_, notes, ok := strings.Cut(out, "NOTES:")
		require.True(t, ok)
		require.Contains(t, notes, want, file)
		require.Contains(t, notes, "-setup", file)
	}
}

// TestPackage packages the chart. The package has the alert rules, although they are a link.
func TestPackage(t *testing.T) {
	dir := t.TempDir()
	_, err := helm(t, "package", chart, "--version", "1.2.3", "--app-version", "v1.2.3", "-d", dir)
	require.NoError(t, err)
	out, err := helm(t, "template", "cm", filepath.Join(dir, "cloud-mirror-1.2.3.tgz"), "-f", "examples/minimal.yaml",
		"--set", "prometheusRule.enabled=true")
	require.NoError(t, err)
	require.Contains(t, out, "alert: CloudMirrorTemporalDoesNotAnswer")
	require.Contains(t, out, "image: registry.example.com/cloud-mirror:v1.2.3")
}
