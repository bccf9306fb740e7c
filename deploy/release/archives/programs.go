package archives

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/tarball"
)

// Programs writes an archive of each program into a folder, with the licence and the README.
func Programs(s build.Source, programs build.Programs, dir string) error {
	for p, program := range programs {
		stem := s.Stem(p)
		var entries []tarball.Entry
		for _, file := range []struct {
			name, path string
			mode       os.FileMode
		}{
			{"LICENSE", filepath.Join(s.Root, "LICENSE"), 0o644},
			{"README.md", filepath.Join(s.Root, "README.md"), 0o644},
			{build.Name, program, 0o755},
		} {
			body, err := os.ReadFile(file.path)
			if err != nil {
				return fmt.Errorf("archive for %s: %w", p, err)
			}
			entries = append(entries, tarball.Entry{Name: stem + "/" + file.name, Mode: file.mode, Body: body})
		}
		if err := write(filepath.Join(dir, stem+".tar.gz"), s, entries); err != nil {
			return fmt.Errorf("archive for %s: %w", p, err)
		}
	}
	return nil
}

// write writes a compressed archive.
func write(path string, s build.Source, entries []tarball.Entry) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := tarball.WriteGzip(f, s.Time, entries); err != nil {
		return err
	}
	return f.Close()
}

// Layout writes an OCI layout as one file, which container engines load.
func Layout(s build.Source, layout, dir string) error {
	entries, err := tarball.Tree(os.DirFS(layout), "")
	if err != nil {
		return fmt.Errorf("archive of the image: %w", err)
	}
	path := filepath.Join(dir, fmt.Sprintf("%s_%s_image.tar", build.Name, s.Version))
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("archive of the image: %w", err)
	}
	defer f.Close()
	if err := tarball.Write(f, s.Time, entries); err != nil {
		return fmt.Errorf("archive of the image: %w", err)
	}
	return f.Close()
}
