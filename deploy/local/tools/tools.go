package tools

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/mod/semver"
)

const (
	lockRetry      = 200 * time.Millisecond
	versionTimeout = 5 * time.Second
	outputDelay    = 5 * time.Second // For a killed build's children to close the output
	productName    = "cloud-mirror"
)

// Tools finds and builds programs.
type Tools struct {
	// Root is the root of the repository. Its folder .cache/bin holds the programs.
	Root string
	// Log receives the progress of a build. Nil discards it.
	Log io.Writer
	// Terminal is true if Log is a terminal.
	Terminal bool
	// Go is the go command. The default is "go" on the PATH.
	Go string
}

func (t Tools) bin() string { return filepath.Join(t.Root, ".cache", "bin") }

func (t Tools) goCommand() string {
	if t.Go == "" {
		return "go"
	}
	return t.Go
}

// Temporal returns the path of the Temporal CLI. It prefers a CLI on the PATH that is new enough.
// Otherwise it returns the pinned version, and builds it if it is missing.
func (t Tools) Temporal(ctx context.Context) (string, error) {
	p := temporal()
	if path, err := exec.LookPath(p.Name); err == nil {
		ctx, cancel := context.WithTimeout(ctx, versionTimeout)
		defer cancel()
		out, err := exec.CommandContext(ctx, path, "--version").Output()
		if err == nil && satisfies(string(out), p.Version) {
			return path, nil
		}
	}
	return t.Pinned(ctx, p)
}

// satisfies reports whether the output of --version names a release that can replace the wanted
// version. It has the same major version, and is not older. A pre-release of the wanted version is
// older. So is a build without a version (0.0.0-DEV).
func satisfies(output, want string) bool {
	found := regexp.MustCompile(`version v?(\d+\.\d+\.\d+\S*)`).FindStringSubmatch(output)
	if found == nil {
		return false
	}
	have := "v" + found[1]
	return semver.IsValid(have) && semver.Major(have) == semver.Major(want) && semver.Compare(have, want) >= 0
}

// Pinned returns the path of a program in its version. It builds the program if it is missing.
func (t Tools) Pinned(ctx context.Context, p Program) (string, error) {
	path := filepath.Join(t.bin(), p.Name+"-"+p.Version)
	if executable(path) {
		return path, nil
	}
	build := filepath.Join(t.Root, ".cache", "build")
	for _, dir := range []string{t.bin(), build} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("create a folder for programs: %w", err)
		}
	}
	// The rename alone is enough for correctness. The lock saves the second builder some minutes.
	lock := flock.New(filepath.Join(build, p.Name+".lock"))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return "", fmt.Errorf("wait for another build of %s: %w", p.Name, err)
	}
	defer func() { _ = lock.Close() }() // The exit of this process releases it at the latest
	if executable(path) {
		return path, nil
	}
	if err := t.install(ctx, p, build, path); err != nil {
		return "", fmt.Errorf("build %s %s: %w", p.Name, p.Version, err)
	}
	return path, nil
}

// install builds a program in a new folder below the given one, and renames it to the target. Both
// are on one file system.
func (t Tools) install(ctx context.Context, p Program, below, target string) error {
	dir, err := os.MkdirTemp(below, p.Name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	flags, err := t.goFlags(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, t.goCommand(), "install", "-v", p.Package+"@"+p.Version)
	cmd.Dir, cmd.Env = dir, buildEnv(os.Environ(), dir, flags)
	progress := t.newProgress(fmt.Sprintf("building %s %s, first run only (%s)", p.Name, p.Version, p.BuildTime), true)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = progress, progress, outputDelay
	err = cmd.Run()
	progress.finish(err == nil)
	if err != nil {
		return fmt.Errorf("go install: %w%s", err, progress.tail())
	}
	return os.Rename(filepath.Join(dir, path.Base(p.Package)), target)
}

// CloudMirror builds the product with its version and returns its path. Go's build cache makes that
// quick if nothing has changed.
func (t Tools) CloudMirror(ctx context.Context, race bool) (string, error) {
	path := filepath.Join(t.bin(), productName)
	args := []string{"build", "-ldflags", "-X main.version=" + Version(ctx, t.Root)}
	if race {
		path += "-race"
		args = append(args, "-race")
	}
	progress := t.newProgress("building "+productName, false)
	cmd := exec.CommandContext(ctx, t.goCommand(), append(args, "-v", "-o", path, ".")...)
	cmd.Dir = t.Root
	// Build for this machine, even if the user cross-compiles.
	cmd.Env = append(os.Environ(), hostEnv()...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = progress, progress, outputDelay
	err := cmd.Run()
	progress.finish(err == nil)
	if err != nil {
		return "", fmt.Errorf("build %s: %w%s", productName, err, progress.tail())
	}
	return path, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o100 != 0
}
