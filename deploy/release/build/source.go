package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// Source is a checkout of the product.
type Source struct {
	Root     string
	Version  string    // As `git describe` names it
	Revision string    // The commit, in full; empty outside git
	Time     time.Time // Of the commit, the time of everything in a release
}

// Open reads the version of a checkout. Outside git, the version is "unknown" and the time is that
// of SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), or 1970.
func Open(ctx context.Context, root string) (Source, error) {
	s := Source{Root: root, Version: tools.Version(ctx, root), Time: time.Unix(0, 0).UTC()}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if out, err := exec.CommandContext(ctx, "git", "-C", root, "log", "-1", "--format=%H %ct").Output(); err == nil {
		var committed string
		s.Revision, committed, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
		if seconds == "" {
			seconds = committed
		}
	}
	if seconds == "" {
		return s, nil
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return s, fmt.Errorf("SOURCE_DATE_EPOCH=%s is no number of seconds", seconds)
	}
	s.Time = time.Unix(at, 0).UTC()
	return s, nil
}

// Toolchain returns the toolchain that the product's go.mod names, for example go1.26.8.
func (s Source) Toolchain() (string, error) {
	path := filepath.Join(s.Root, "go.mod")
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("toolchain: %w", err)
	}
	mod, err := modfile.Parse(path, text, nil)
	if err != nil {
		return "", fmt.Errorf("toolchain: %w", err)
	}
	if mod.Toolchain == nil {
		return "", fmt.Errorf("toolchain: %s has no toolchain line", path)
	}
	return mod.Toolchain.Name, nil
}
