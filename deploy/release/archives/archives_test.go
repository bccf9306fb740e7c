package archives_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/release/archives"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
)

// checkout returns a source with these files.
func checkout(t *testing.T, version string, files map[string]string) build.Source {
	t.Helper()
	s := build.Source{Root: t.TempDir(), Version: version, Time: time.Unix(1_790_000_000, 0)}
	for name, body := range files {
		path := filepath.Join(s.Root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(body), 0o600))
	}
	return s
}

// content returns the bodies of an archive's files by their names.
func content(t *testing.T, path string) (bodies map[string]string, modes map[string]int64) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	compressed, err := gzip.NewReader(bytes.NewReader(text))
	require.NoError(t, err)
	bodies, modes = map[string]string{}, map[string]int64{}
	for archive := tar.NewReader(compressed); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return bodies, modes
		}
		require.NoError(t, err)
		require.Equal(t, int64(1_790_000_000), h.ModTime.Unix())
		body, err := io.ReadAll(archive)
		require.NoError(t, err)
		bodies[h.Name], modes[h.Name] = string(body), h.Mode
	}
}

func TestProgramsAndChecksums(t *testing.T) {
	s := checkout(t, "v1.2.3", map[string]string{"LICENSE": "licence", "README.md": "readme", "built": "program"})
	programs := build.Programs{}
	for _, p := range build.Archives() {
		programs[p] = filepath.Join(s.Root, "built")
	}
	release := func() string {
		dir := t.TempDir()
		require.NoError(t, archives.Programs(s, programs, dir))
		require.NoError(t, archives.Checksums(dir))
		return dir
	}
	dir := release()
	for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"} {
		stem := "cloud-mirror_v1.2.3_" + platform
		bodies, modes := content(t, filepath.Join(dir, stem+".tar.gz"))
		require.Equal(t, map[string]string{stem + "/LICENSE": "licence", stem + "/README.md": "readme", stem + "/cloud-mirror": "program"}, bodies)
		require.Equal(t, map[string]int64{stem + "/LICENSE": 0o644, stem + "/README.md": 0o644, stem + "/cloud-mirror": 0o755}, modes)
	}

	sums, err := os.ReadFile(filepath.Join(dir, archives.ChecksumsFile))
	require.NoError(t, err)
	require.Equal(t, 4, bytes.Count(sums, []byte("\n")))
	again, err := os.ReadFile(filepath.Join(release(), archives.ChecksumsFile))
	require.NoError(t, err)
	require.Equal(t, string(sums), string(again), "two releases are equal")
	check := func() error {
		cmd := exec.Command("sha256sum", "--check", "--strict", archives.ChecksumsFile)
		cmd.Dir = dir
		return cmd.Run()
	}
	require.NoError(t, check())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cloud-mirror_v1.2.3_linux_arm64.tar.gz"), nil, 0o644))
	require.Error(t, check(), "a changed file is noticed")
}

func TestChart(t *testing.T) {
	const chart = "# A chart\nname: cloud-mirror\nversion: 0.0.0\nappVersion: none # set by make release\ndependencies:\n  - version: 7.0.0\n"
	s := checkout(t, "4a7add65", map[string]string{"charts/cloud-mirror/Chart.yaml": chart, "charts/cloud-mirror/templates/a.yaml": "a"})
	dir := t.TempDir()
	require.NoError(t, archives.Chart(s, filepath.Join(s.Root, "charts/cloud-mirror"), dir))
	bodies, _ := content(t, filepath.Join(dir, "cloud-mirror-0.0.0-g4a7add65.tgz"))
	require.Equal(t, map[string]string{
		"cloud-mirror/Chart.yaml":       "# A chart\nname: cloud-mirror\nversion: 0.0.0-g4a7add65\nappVersion: \"4a7add65\"\ndependencies:\n  - version: 7.0.0\n",
		"cloud-mirror/templates/a.yaml": "a",
	}, bodies)
}

func TestChartIsOptionalButComplete(t *testing.T) {
	s := checkout(t, "v1.2.3", map[string]string{"bad/cloud-mirror/Chart.yaml": "version: 1\n", "none/cloud-mirror/a": "", "README.md": ""})
	dir := t.TempDir()
	require.NoError(t, archives.Chart(s, filepath.Join(s.Root, "missing"), dir))
	require.ErrorContains(t, archives.Chart(s, filepath.Join(s.Root, "bad/cloud-mirror"), dir), "key appVersion 0 times, want once")
	require.ErrorContains(t, archives.Chart(s, filepath.Join(s.Root, "none/cloud-mirror"), dir), "has no Chart.yaml")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestChartFollowsLinksInsideTheCheckout(t *testing.T) {
	s := checkout(t, "v1.2.3", map[string]string{"cloud-mirror/Chart.yaml": "version: 1\nappVersion: 1\n", "alerts/rules.yaml": "rules"})
	outside, chart, dir := filepath.Join(t.TempDir(), "secret"), filepath.Join(s.Root, "cloud-mirror"), t.TempDir()
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	link := filepath.Join(chart, "link")
	for target, want := range map[string]string{
		outside:            "path escapes",
		"../alerts":        "link is no regular file",
		"../alerts/none":   "no such file",
		"../../etc/passwd": "path escapes",
	} {
		require.NoError(t, os.Symlink(target, link))
		require.ErrorContains(t, archives.Chart(s, chart, dir), want, target)
		require.NoError(t, os.Remove(link))
	}
	require.NoError(t, os.Symlink("../alerts/rules.yaml", link))
	require.NoError(t, archives.Chart(s, chart, dir))
	bodies, modes := content(t, filepath.Join(dir, "cloud-mirror-1.2.3.tgz"))
	require.Equal(t, "rules", bodies["cloud-mirror/link"])
	require.Equal(t, int64(0o644), modes["cloud-mirror/link"])
}

func TestChartOfThisCheckout(t *testing.T) {
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	s, dir := build.Source{Root: root, Version: "v1.2.3", Time: time.Unix(1_790_000_000, 0)}, t.TempDir()
	require.NoError(t, archives.Chart(s, filepath.Join(root, "deploy/charts/cloud-mirror"), dir))
	bodies, _ := content(t, filepath.Join(dir, "cloud-mirror-1.2.3.tgz"))
	rules, err := os.ReadFile("../../alerts/rules.yaml")
	require.NoError(t, err)
	require.Equal(t, string(rules), bodies["cloud-mirror/files/rules.yaml"])
}

func TestChartVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":                   "1.2.3",
		"v1.2.3-4-g4a7add65-dirty": "1.2.3-4-g4a7add65-dirty",
		"4a7add65":                 "0.0.0-g4a7add65",
		"00123456-dirty":           "0.0.0-g00123456-dirty",
		"v2":                       "0.0.0-gv2",
		"unknown":                  "0.0.0-gunknown",
	} {
		require.Equal(t, want, archives.ChartVersion(version))
	}
}
