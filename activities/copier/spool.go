package copier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// spoolPattern is the pattern of the names of spool files.
const spoolPattern = "cloud-mirror-part-*"

// newFile waits for n bytes of the spool, and creates a file without a name, so that it disappears
// with the process.
func (c *Copier) newFile(ctx context.Context, claim Claim, n int64) (*os.File, *Hold, error) {
	hold, err := c.Spool.Take(ctx, claim, n)
	if err != nil {
		return nil, nil, fmt.Errorf("wait for disk: %w", err)
	}
	f, err := os.CreateTemp(c.SpoolDir, spoolPattern)
	if err != nil {
		hold.Release()
		return nil, nil, fmt.Errorf("create a file for a part: %w", err)
	}
	_ = os.Remove(f.Name())
	return f, hold, nil
}

// RemoveSpooled removes spool files that have a name. A worker that was killed can leave one, if it
// had no time to remove the name. Another worker's open file stays usable.
func RemoveSpooled(dir string) error {
	if dir == "" {
		dir = os.TempDir()
	}
	left, err := filepath.Glob(filepath.Join(dir, spoolPattern))
	for _, name := range left {
		if failed := os.Remove(name); failed != nil && !errors.Is(failed, os.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	if err != nil {
		return fmt.Errorf("remove spool files: %w", err)
	}
	return nil
}
