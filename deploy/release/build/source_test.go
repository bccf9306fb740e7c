package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
)

func TestOpen(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	dir := t.TempDir()
	s, err := build.Open(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, build.Source{Root: dir, Version: "unknown", Time: time.Unix(0, 0).UTC()}, s)

	for _, args := range [][]string{{"init", "-q"}, {"commit", "-q", "--allow-empty", "-m", "one"}, {"tag", "v1.2.3"}} {
		git := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		git.Env = append(os.Environ(), "GIT_COMMITTER_DATE=@1790000000 +0200")
		out, err := git.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	s, err = build.Open(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, "v1.2.3", s.Version)
	require.Len(t, s.Revision, 40)
	require.Equal(t, time.Unix(1_790_000_000, 0).UTC(), s.Time)

	t.Setenv("SOURCE_DATE_EPOCH", "1000")
	s, err = build.Open(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, time.Unix(1000, 0).UTC(), s.Time)
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	_, err = build.Open(t.Context(), dir)
	require.ErrorContains(t, err, "SOURCE_DATE_EPOCH=yesterday is no number of seconds")
}

func TestToolchain(t *testing.T) {
	s := build.Source{Root: t.TempDir()}
	mod := filepath.Join(s.Root, "go.mod")
	require.NoError(t, os.WriteFile(mod, []byte("module example.com/m\n\ngo 1.26.0\n\ntoolchain go1.26.8\n"), 0o644))
	toolchain, err := s.Toolchain()
	require.NoError(t, err)
	require.Equal(t, "go1.26.8", toolchain)
	require.NoError(t, os.WriteFile(mod, []byte("module example.com/m\n\ngo 1.26.0\n"), 0o644))
	_, err = s.Toolchain()
	require.ErrorContains(t, err, "has no toolchain line")
}
