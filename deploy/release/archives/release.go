package archives

import (
	"context"
	"path/filepath"

	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
)

// Release writes all files of a release into an empty folder. The image is that of the OCI layout.
func Release(ctx context.Context, s build.Source, programs build.Programs, layout, dir string) error {
	if err := Programs(s, programs, dir); err != nil {
		return err
	}
	if err := s.BOMs(ctx, programs, dir); err != nil {
		return err
	}
	if err := Layout(s, layout, dir); err != nil {
		return err
	}
	if err := Chart(s, filepath.Join(s.Root, "deploy", "charts", build.Name), dir); err != nil {
		return err
	}
	return Checksums(dir)
}
