package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// refName is the annotation by which tools find a tag in a layout.
const refName = "org.opencontainers.image.ref.name"

// ErrNoRepository is the error of a push without a repository.
var ErrNoRepository = errors.New("push-image needs a repository: make push-image REPO=registry.example.com/cloud-mirror")

// Write writes an OCI layout of the image, tagged with the version, into a new folder.
func Write(index v1.ImageIndex, version, dir string) error {
	target, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = target.AppendIndex(index, layout.WithAnnotations(map[string]string{refName: version}))
	}
	if err != nil {
		return fmt.Errorf("write image to %s: %w", dir, err)
	}
	return nil
}

// Read returns the image of a layout that Write wrote, and its version.
func Read(dir string) (v1.ImageIndex, string, error) {
	root, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, "", fmt.Errorf("read image of %s (run `make image`): %w", dir, err)
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		return nil, "", fmt.Errorf("read image of %s: %w", dir, err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Annotations[refName] == "" {
		return nil, "", fmt.Errorf("read image of %s: it does not hold one tagged image", dir)
	}
	index, err := root.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		return nil, "", fmt.Errorf("read image of %s: %w", dir, err)
	}
	return index, manifest.Manifests[0].Annotations[refName], nil
}

// Repository parses the name of a repository for a push, registry included.
func Repository(repository string) (name.Repository, error) {
	if repository == "" {
		return name.Repository{}, ErrNoRepository
	}
	repo, err := name.NewRepository(repository, name.StrictValidation)
	if err == nil && strings.Contains(repository, "://") {
		err = errors.New("a repository has no scheme")
	}
	if err != nil {
		return repo, fmt.Errorf("REPO=%s is no repository (the tag is always the version): %w", repository, err)
	}
	return repo, nil
}

// Push pushes the image of a layout to a repository, with its version as the tag. It returns the
// reference with the digest. The credentials are those of `docker login`.
func Push(ctx context.Context, dir string, repo name.Repository) (string, error) {
	index, version, err := Read(dir)
	if err != nil {
		return "", err
	}
	digest, err := index.Digest()
	if err == nil {
		err = remote.WriteIndex(repo.Tag(version), index,
			remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	}
	if err != nil {
		return "", fmt.Errorf("push %s:%s: %w", repo, version, err)
	}
	return repo.Digest(digest.String()).String(), nil
}
