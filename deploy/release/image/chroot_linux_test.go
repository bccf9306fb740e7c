package image_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const configuration = `
source:
  allowed: [https://artifacts.example.com/]
  query_keys: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=]
redis: {url: %q}
sqs: {queue: image, region: us-west-2, endpoint: %q}
s3: {bucket_base: image}
pools:
  - {service: s3, region: us-west-2, endpoint: %q, path_style: true}
`

// TestPulledImageRuns runs the program in the file system of the image, as its user.
func TestPulledImageRuns(t *testing.T) {
	img := pull(t, push(t), v1.Platform{OS: "linux", Architecture: runtime.GOARCH})
	root := unpack(t, img)
	out := inside(t, root, nil, "version")
	require.Equal(t, "cloud-mirror "+source.Version+"\n", out)

	checkout, err := stack.FindRoot(".")
	require.NoError(t, err)
	s, err := stack.Start(t.Context(), stack.Options{
		Root: checkout, StateDir: filepath.Join(t.TempDir(), "state"), ServicesOnly: true, Log: t.Output(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	bucket, queue := record(t, s.S3Endpoint("us-west-2")), record(t, s.SQSEndpoint())
	temporal := recordTemporal(t, s.TemporalAddress())
	text := fmt.Sprintf(configuration, s.RedisURL(), queue.at, bucket.at)
	require.NoError(t, os.WriteFile(filepath.Join(root, "config.yaml"), []byte(text), 0o644))
	env := append(s.Env(), "TEMPORAL_ADDRESS="+temporal.at)
	setup := func(args ...string) string {
		t.Helper()
		return inside(t, root, env, append([]string{"setup", "--config", "/config.yaml"}, args...)...)
	}

	out = setup("--dry-run")
	for _, line := range []string{
		"bucket image-us-west-2: would create it in us-west-2", "queue image_dead: would create it", "queue image: would create it",
		"Temporal search attributes: would register Mirror", "would create",
	} {
		require.Contains(t, out, line)
	}
	require.Subset(t, []string{"GET", "HEAD"}, bucket.take(), "a dry run only reads")
	require.Subset(t, []string{"GetQueueAttributes", "GetQueueUrl"}, queue.take(), "a dry run only reads")
	calls := temporal.take()
	require.Contains(t, calls, "ListSearchAttributes")
	for _, call := range calls {
		require.Regexp(t, "^(Get|List|Describe)", call, "a dry run only reads")
	}

	// The recorders see the calls that write.
	require.Contains(t, setup(), "bucket image-us-west-2: created in us-west-2")
	require.Contains(t, bucket.take(), "PUT")
	require.Contains(t, queue.take(), "CreateQueue")
	require.Subset(t, temporal.take(), []string{"AddSearchAttributes", "CreateSchedule"})
	require.NotContains(t, setup("--dry-run"), "would create")
}

// unpack writes the files of an image into a folder.
func unpack(t *testing.T, img v1.Image) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	content := mutate.Extract(img)
	defer content.Close()
	for archive := tar.NewReader(content); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return root
		}
		require.NoError(t, err)
		path := filepath.Join(root, filepath.Clean("/"+h.Name))
		if h.FileInfo().IsDir() {
			require.NoError(t, os.Mkdir(path, 0o755))
			require.NoError(t, os.Chmod(path, h.FileInfo().Mode()))
			continue
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, h.FileInfo().Mode())
		require.NoError(t, err)
		_, err = io.Copy(f, archive)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}

// inside runs the program of the image as its user, with nothing but the image's file system, and
// returns its standard output. Without root it needs a user namespace.
func inside(t *testing.T, root string, env []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const id = 65532
	cmd := exec.CommandContext(ctx, "/cloud-mirror", args...)
	cmd.Dir, cmd.Env = "/", append([]string{}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: id, Gid: id, NoSetGroups: os.Geteuid() != 0}}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: os.Getegid(), Size: 1}}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%v needs root, or user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0): %s", args, &stderr)
	return string(out)
}
