package image

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	layers "github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/tarball"
)

// User is user and group of the processes. 65532 is the customary id of a user without rights in images
// from scratch.
const User = "65532:65532"

// Program is the path of the program in the image, its entry point.
const Program = "/" + build.Name

// Labels returns the labels of the image:
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
func Labels(s build.Source) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":       build.Name,
		prefix + "description": "Redirects clients to a copy of an immutable object in their own region",
		prefix + "source":      "https://github.com/cloud-mirror/cloud-mirror",
		prefix + "licenses":    "MPL-2.0",
		prefix + "version":     s.Version,
		prefix + "revision":    s.Revision,
		prefix + "created":     s.Time.UTC().Format(time.RFC3339),
	}
}

// Build returns the image of the programs, which must be those of build.Images.
func Build(s build.Source, programs build.Programs) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range build.Images() {
		img, err := single(s, p, programs[p])
		if err != nil {
			return nil, fmt.Errorf("image for %s: %w", p, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Arch}},
		})
	}
	annotated, ok := mutate.Annotations(index, Labels(s)).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("annotations of %T", index)
	}
	return annotated, nil
}

// single returns the image of one platform.
func single(s build.Source, p build.Platform, program string) (v1.Image, error) {
	layer, err := fileSystem(s, program)
	if err != nil {
		return nil, err
	}
	at := v1.Time{Time: s.Time}
	base, err := mutate.ConfigFile(
		mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		&v1.ConfigFile{
			OS: p.OS, Architecture: p.Arch, Created: at, RootFS: v1.RootFS{Type: "layers"},
			Config: v1.Config{User: User, Entrypoint: []string{Program}, WorkingDir: "/", Labels: Labels(s)},
		})
	if err != nil {
		return nil, err
	}
	return mutate.Append(base, mutate.Addendum{
		Layer: layer, History: v1.History{Created: at, CreatedBy: "make image", Comment: build.Name + " " + s.Version},
	})
}

// fileSystem returns the only layer.
func fileSystem(s build.Source, program string) (v1.Layer, error) {
	body, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	err = tarball.Write(&archive, s.Time, []tarball.Entry{
		{Name: build.Name, Mode: 0o755, Body: body},
		{Name: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
	})
	if err != nil {
		return nil, err
	}
	return layers.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, layers.WithMediaType(types.OCILayer), layers.WithCompressedCaching)
}
