// Package tools provides the programs that a local set-up runs: third-party servers in pinned versions, built once from
// the Go module proxy, and the product itself.
//
// Guarantees:
//   - A pinned program is built at most once for a version, whatever number of processes ask for it at a time, and is
//     never seen half-written: it is built aside and renamed into place.
//   - The build does not depend on the folder that it is started in, nor on GOFLAGS, GOOS or a workspace of the user's.
//   - Whoever waits is told so: a spinner on a terminal, a line now and then elsewhere.
package tools

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/mod/semver"
)

const (
	lockRetry      = 200 * time.Millisecond
	versionTimeout = 5 * time.Second
	outputDelay    = 5 * time.Second // for output that a killed build's children still hold open
	productName    = "cloud-mirror"
)

// Tools finds and builds programs.
type Tools struct {
	// Root is the root of the repository; programs are kept in its folder .cache/bin.
	Root string
	// Log takes the progress of a build.
	Log io.Writer
	// Terminal says that Log is one.
	Terminal bool
	// Go is the go command; "go" on the PATH if empty.
	Go string
}

func (t Tools) bin() string { return filepath.Join(t.Root, ".cache", "bin") }

func (t Tools) goCommand() string {
	if t.Go == "" {
		return "go"
	}
	return t.Go
}

// Temporal is the path of the Temporal CLI: the one on the PATH if it is new enough, or else the pinned one, which is
// built if it has to be.
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

// satisfies says whether the output of --version names a release that can stand in for the wanted one: the same major
// version, and no older. A pre-release of the wanted version is older, and so is a build without a version (0.0.0-DEV).
func satisfies(output, want string) bool {
	found := regexp.MustCompile(`version v?(\d+\.\d+\.\d+\S*)`).FindStringSubmatch(output)
	if found == nil {
		return false
	}
	have := "v" + found[1]
	return semver.IsValid(have) && semver.Major(have) == semver.Major(want) && semver.Compare(have, want) >= 0
}

// Pinned is the path of a program in its version, which is built if it has to be.
func (t Tools) Pinned(ctx context.Context, p Program) (string, error) {
	path := filepath.Join(t.bin(), p.Name+"-"+p.Version)
	if executable(path) {
		return path, nil
	}
	build := filepath.Join(t.Root, ".cache", "build")
	for _, dir := range []string{t.bin(), build} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("make a folder for programs: %w", err)
		}
	}
	// The rename below would do for correctness; the lock saves the second of two builders its minutes.
	lock := flock.New(filepath.Join(build, p.Name+".lock"))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return "", fmt.Errorf("wait for another build of %s: %w", p.Name, err)
	}
	defer func() { _ = lock.Close() }() // the end of this process releases it at the latest
	if executable(path) {
		return path, nil
	}
	if err := t.install(ctx, p, build, path); err != nil {
		return "", fmt.Errorf("build %s %s: %w", p.Name, p.Version, err)
	}
	return path, nil
}

// install builds a program in a folder of its own below the given one, which is on the file system of the target.
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
	progress := t.newProgress(fmt.Sprintf("building %s %s, once (%s)", p.Name, p.Version, p.BuildTime), true)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = progress, progress, outputDelay
	err = cmd.Run()
	progress.finish(err == nil)
	if err != nil {
		return fmt.Errorf("go install: %w%s", err, progress.tail())
	}
	return os.Rename(filepath.Join(dir, p.Name), target)
}

// CloudMirror builds the product and gives its path. Go's own cache makes that quick when nothing has changed.
func (t Tools) CloudMirror(ctx context.Context, race bool) (string, error) {
	path, args := filepath.Join(t.bin(), productName), []string{"build"}
	if race {
		path += "-race"
		args = append(args, "-race")
	}
	progress := t.newProgress("building "+productName, false)
	cmd := exec.CommandContext(ctx, t.goCommand(), append(args, "-v", "-o", path, ".")...)
	cmd.Dir = t.Root
	// For this machine, whatever the user cross-compiles for.
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
