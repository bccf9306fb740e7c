package tarball

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"
)

// Entry is a file or a folder of an archive.
type Entry struct {
	Name string      // Slash-separated, relative. A folder has no slash at its end.
	Mode fs.FileMode // Permissions and sticky bit, and ModeDir for a folder
	Body []byte      // Of a file
}

// Write writes the entries in their order, all with this time.
func Write(w io.Writer, at time.Time, entries []Entry) error {
	archive := tar.NewWriter(w)
	for _, e := range entries {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.Name, Mode: int64(e.Mode.Perm()), Size: int64(len(e.Body)),
			ModTime: at.UTC().Truncate(time.Second), Format: tar.FormatUSTAR,
		}
		if e.Mode.IsDir() {
			h.Typeflag, h.Name = tar.TypeDir, e.Name+"/"
		}
		if e.Mode&fs.ModeSticky != 0 {
			h.Mode |= 0o1000
		}
		if err := archive.WriteHeader(h); err != nil {
			return fmt.Errorf("archive %s: %w", e.Name, err)
		}
		if _, err := archive.Write(e.Body); err != nil {
			return fmt.Errorf("archive %s: %w", e.Name, err)
		}
	}
	return archive.Close()
}

// WriteGzip is Write, compressed. The header of gzip has no name and no time.
func WriteGzip(w io.Writer, at time.Time, entries []Entry) error {
	compressed := gzip.NewWriter(w)
	if err := Write(compressed, at, entries); err != nil {
		return err
	}
	return compressed.Close()
}

// Tree returns the files below a folder as entries below a prefix, in the order of their names.
// Files can be read by all, and are executable if their owner's are. A link to a file becomes that
// file, if root follows it. A link to a folder, a device or a socket is an error.
func Tree(root fs.FS, prefix string) ([]Entry, error) {
	var entries []Entry
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := fs.Stat(root, name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file", name)
		}
		body, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		entries = append(entries, Entry{Name: path.Join(prefix, name), Mode: mode, Body: body})
		return nil
	})
	return entries, err
}
