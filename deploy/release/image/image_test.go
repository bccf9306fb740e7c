package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/image"
)

// source is this checkout, programs are built from it, and index is the image of them.
var (
	source   build.Source
	programs build.Programs
	index    v1.ImageIndex
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "cloud-mirror-image-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	root, err := stack.FindRoot(".")
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if source, err = build.Open(ctx, root); err != nil {
		return 0, err
	}
	if programs, err = source.Compile(ctx, build.Images(), dir); err != nil {
		return 0, err
	}
	if index, err = image.Build(source, programs); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// TestTwoBuildsHaveOneDigest builds a copy of the checkout in another folder.
func TestTwoBuildsHaveOneDigest(t *testing.T) {
	digest := func(i v1.ImageIndex, err error) string {
		t.Helper()
		require.NoError(t, err)
		d, err := i.Digest()
		require.NoError(t, err)
		return d.String()
	}
	other := source
	other.Root = t.TempDir()
	copyCheckout(t, source.Root, other.Root)
	again, err := other.Compile(t.Context(), build.Images(), t.TempDir())
	require.NoError(t, err)
	require.Equal(t, digest(index, nil), digest(image.Build(other, again)))

	other.Time = other.Time.Add(time.Second)
	require.NotEqual(t, digest(index, nil), digest(image.Build(other, again)), "the digest depends on the time")
}

// copyCheckout copies all files that git does not ignore.
func copyCheckout(t *testing.T, from, to string) {
	t.Helper()
	list, err := exec.Command("git", "-C", from, "ls-files", "-coz", "--exclude-standard").Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		body, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // Deleted, and not committed
		}
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(to, name), body, 0o644))
	}
}

func TestImageOfEachPlatform(t *testing.T) {
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	var platforms []string
	for _, d := range manifest.Manifests {
		platforms = append(platforms, d.Platform.String())
		t.Run(d.Platform.String(), func(t *testing.T) {
			img, err := index.Image(d.Digest)
			require.NoError(t, err)
			cfg, err := img.ConfigFile()
			require.NoError(t, err)
			require.Equal(t, d.Platform.Architecture, cfg.Architecture)
			require.Equal(t, "65532:65532", cfg.Config.User)
			require.Equal(t, []string{"/cloud-mirror"}, cfg.Config.Entrypoint)
			require.Equal(t, image.Labels(source), cfg.Config.Labels)
			require.True(t, source.Time.Equal(cfg.Created.Time))
			requireProgram(t, files(t, img)["cloud-mirror"], d.Platform.Architecture)
		})
	}
	require.Equal(t, []string{"linux/amd64", "linux/arm64"}, platforms)
}

func TestLabels(t *testing.T) {
	labels := image.Labels(build.Source{Version: "v1.2.3", Revision: "4a7add65", Time: time.Unix(1_790_000_000, 0)})
	require.Equal(t, "v1.2.3", labels["org.opencontainers.image.version"])
	require.Equal(t, "4a7add65", labels["org.opencontainers.image.revision"])
	require.Equal(t, "2026-09-21T14:13:20Z", labels["org.opencontainers.image.created"])
	require.Equal(t, "MPL-2.0", labels["org.opencontainers.image.licenses"])
	require.Len(t, labels, 7)
}

// files returns the files of an image. It requires that there are only two, with their modes.
func files(t *testing.T, img v1.Image) map[string][]byte {
	t.Helper()
	layers, err := img.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	content, err := layers[0].Uncompressed()
	require.NoError(t, err)
	defer content.Close()
	modes, bodies := map[string]int64{}, map[string][]byte{}
	for archive := tar.NewReader(content); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		modes[h.Name] = h.Mode
		require.True(t, h.ModTime.Equal(source.Time), h.ModTime)
		require.Zero(t, h.Uid+h.Gid, "root owns %s, so that the program can't change it", h.Name)
		bodies[h.Name], err = io.ReadAll(archive)
		require.NoError(t, err)
	}
	require.Equal(t, map[string]int64{"cloud-mirror": 0o755, "tmp/": 0o1777}, modes)
	return bodies
}

// requireProgram requires a static program for a processor, with CA certificates and without a path
// of this machine.
func requireProgram(t *testing.T, program []byte, arch string) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(program))
	require.NoError(t, err)
	require.Equal(t, map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch], f.Machine)
	for _, p := range f.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "it is not static")
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	require.NoError(t, err)
	toolchain, err := source.Toolchain()
	require.NoError(t, err)
	require.Equal(t, toolchain, info.GoVersion)
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	require.Equal(t, "0", settings["CGO_ENABLED"])
	require.Equal(t, "true", settings["-trimpath"])
	require.Empty(t, settings["vcs.time"])
	var modules []string
	for _, d := range info.Deps {
		modules = append(modules, d.Path)
	}
	require.Contains(t, modules, "golang.org/x/crypto/x509roots/fallback")
	require.True(t, bytes.Contains(program, []byte("CN=Amazon Root CA 1,O=Amazon,C=US")), "the certificates of S3")
	require.False(t, bytes.Contains(program, []byte(source.Root)), "it holds the path of the checkout")
}
