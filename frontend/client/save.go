package client

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Save writes body to file. The file appears, or is replaced, only if the whole body was read. size
// is in bytes, -1 if it is not known; a body of another size is an error.
func Save(file string, body io.Reader, size int64) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		if p, ok := errors.AsType[*os.PathError](err); ok {
			err = p.Err // without the temporary name
		}
		return fmt.Errorf("save %s: %w", file, err)
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	n, err := io.Copy(tmp, body)
	if err != nil {
		return fmt.Errorf("save %s: %w", file, withoutURL(err))
	}
	if size >= 0 && n != size {
		return fmt.Errorf("save %s: received %d of %d bytes", file, n, size)
	}
	// CreateTemp makes files that only their owner can read.
	if err := errors.Join(tmp.Chmod(0o644), tmp.Close()); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	return nil
}

// FileName returns the default name for a file of the object: the last segment of its URL's path,
// or "object" if that is not a usable name.
func FileName(object string) string {
	u, err := url.Parse(object)
	if err != nil || strings.HasSuffix(u.Path, "/") {
		return "object"
	}
	switch name := path.Base(u.Path); name {
	case ".", "..", "/":
		return "object"
	default:
		return name
	}
}
