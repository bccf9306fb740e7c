package stack

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

const (
	markerName = ".cloud-mirror-state"
	markerText = "This folder belongs to a local set-up of cloud-mirror; make clean removes it.\n"
	lockName   = "lock"
)

// stateDir is a state folder. This process holds its lock.
type stateDir struct {
	path string
	lock *flock.Flock
}

func (d stateDir) join(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// logs is the folder of the processes' logs.
func (d stateDir) logs() string { return d.join("logs") }

// openState creates the folder if it is missing, and locks it. It fails if another run holds the
// lock.
func openState(path string) (stateDir, error) {
	d := stateDir{path: path, lock: flock.New(filepath.Join(path, lockName))}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0:
	case err != nil:
		return d, fmt.Errorf("STATE_DIR=%s can't be used: %w", path, err)
	case !marked(path):
		return d, fmt.Errorf("STATE_DIR=%s holds files that cloud-mirror did not create: choose an empty or a new folder", path)
	}
	if err := os.MkdirAll(d.logs(), 0o755); err != nil {
		return d, fmt.Errorf("STATE_DIR=%s can't be created: %w", path, err)
	}
	if err := os.WriteFile(d.join(markerName), []byte(markerText), 0o644); err != nil {
		return d, fmt.Errorf("STATE_DIR=%s can't be written to: %w", path, err)
	}
	if err := d.take(); err != nil {
		return d, err
	}
	return d, nil
}

func marked(path string) bool {
	b, err := os.ReadFile(filepath.Join(path, markerName))
	return err == nil && string(b) == markerText
}

// take locks the folder, and writes the id of this process into the lock file. The error of another
// run shows it.
func (d stateDir) take() error {
	ok, err := d.lock.TryLock()
	if err != nil {
		return fmt.Errorf("STATE_DIR=%s can't be locked: %w", d.path, err)
	}
	if !ok {
		holder := "another run"
		if pid, err := os.ReadFile(d.join(lockName)); err == nil && len(pid) > 0 {
			holder = "the run with process id " + strings.TrimSpace(string(pid))
		}
		return fmt.Errorf("STATE_DIR=%s is in use by %s: stop that run, or give this one another folder and other ports", d.path, holder)
	}
	return os.WriteFile(d.join(lockName), fmt.Appendln(nil, os.Getpid()), 0o644)
}

func (d stateDir) release() error { return d.lock.Close() }

// queryKey returns the key that seals queries in messages and histories, in base64. The first call
// creates it and keeps it with the state.
func (d stateDir) queryKey() (string, error) {
	path := d.join("query_key")
	b, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the query key: %w", err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // Never fails
	text := base64.StdEncoding.EncodeToString(key)
	if err := renameio.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the query key: %w", err)
	}
	return text, nil
}

// tokens writes the file of bearer tokens, and returns its path.
func (d stateDir) tokens() (path string, err error) {
	path = d.join("tokens")
	line := "# name scopes token\nlocal purge,copies,status,codec " + PurgeToken + "\n"
	if err := renameio.WriteFile(path, []byte(line), 0o600); err != nil {
		return "", fmt.Errorf("write the tokens: %w", err)
	}
	return path, nil
}

// Clean removes a state folder and everything in it. A missing folder is no error. Clean refuses a
// folder that a run holds, and a folder that no run created.
func Clean(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !marked(path) {
		return fmt.Errorf("STATE_DIR=%s was not created by cloud-mirror (it has no %s): not removed", path, markerName)
	}
	d := stateDir{path: path, lock: flock.New(filepath.Join(path, lockName))}
	if err := d.take(); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(path), d.release()); err != nil {
		return fmt.Errorf("remove STATE_DIR: %w", err)
	}
	return nil
}
