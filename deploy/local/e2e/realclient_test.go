package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// ran is the end of a client: its output, and an error unless it succeeded.
type ran struct {
	output string
	err    error
}

// startClient starts a program in a folder, without the user's settings.
func startClient(t *testing.T, dir string, args ...string) <-chan ran {
	t.Helper()
	program, err := exec.LookPath(args[0])
	require.NoError(t, err, "this test needs real clients: run `make clients`")
	spec := supervise.Spec{
		Name: args[0], Path: program, Args: args[1:], Dir: dir, Log: filepath.Join(t.TempDir(), "log"),
		Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "LC_ALL=C",
			"RCLONE_CONFIG=" + filepath.Join(dir, "rclone.conf"),
			"PIP_CONFIG_FILE=/dev/null", "PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_CACHE_DIR=1",
			// Nothing listens on port 1: npm can reach no registry unless a test names one.
			"npm_config_registry=http://127.0.0.1:1/", "npm_config_userconfig=/dev/null", "npm_config_cache=" + filepath.Join(dir, "npm"),
			"npm_config_audit=false", "npm_config_fund=false", "npm_config_update_notifier=false", "npm_config_ignore_scripts=true",
			"GOENV=off", "GOFLAGS=-modcacherw", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOMODCACHE=" + filepath.Join(dir, "mod"),
		},
	}
	ctx, done := background(t), make(chan ran, 1)
	go func() {
		err := supervise.Run(ctx, spec)
		output, readErr := os.ReadFile(spec.Log)
		done <- ran{string(output), errors.Join(err, readErr)}
	}()
	return done
}

// runClient runs a program to its end.
func runClient(t *testing.T, dir string, args ...string) (output string, err error) {
	t.Helper()
	r := <-startClient(t, dir, args...)
	return r.output, r.err
}

// mustRun runs a program that must succeed. Words of the command are separated by spaces.
func mustRun(t *testing.T, dir, command string, more ...string) string {
	t.Helper()
	output, err := runClient(t, dir, append(strings.Fields(command), more...)...)
	require.NoError(t, err)
	return output
}

func requireFile(t *testing.T, want []byte, path ...string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "%s differs from the source's bytes", path[len(path)-1])
}

func writeFile(t *testing.T, content []byte, path ...string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(path...), content, 0o600))
}
