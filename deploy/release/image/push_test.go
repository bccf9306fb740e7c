package image_test

import (
	"log"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/release/image"
)

// push writes the image to a layout, and pushes that to a registry in this process. It returns the
// reference that the push reports.
func push(t *testing.T) name.Reference {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(t.Output(), "", 0))))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	repo, err := image.Repository(at.Host + "/team/cloud-mirror")
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "oci")
	require.NoError(t, image.Write(index, source.Version, dir))
	pushed, err := image.Push(t.Context(), dir, repo)
	require.NoError(t, err)
	ref, err := name.ParseReference(pushed)
	require.NoError(t, err)

	// The tag is the version.
	byTag, err := remote.Index(repo.Tag(source.Version))
	require.NoError(t, err)
	digest, err := byTag.Digest()
	require.NoError(t, err)
	require.Equal(t, ref.Identifier(), digest.String())
	return ref
}

func TestPushedImageIsTheBuiltOne(t *testing.T) {
	pulled, err := remote.Index(push(t))
	require.NoError(t, err)
	want, err := index.RawManifest()
	require.NoError(t, err)
	got, err := pulled.RawManifest()
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
}

func TestPushRefuses(t *testing.T) {
	for repository, want := range map[string]string{
		"":                                    "make push-image REPO=registry.example.com/cloud-mirror",
		"registry.example.com/cloud-mirror:1": "REPO=registry.example.com/cloud-mirror:1 is no repository (the tag is always the version)",
		"https://registry.example.com/mirror": "a repository has no scheme",
		"cloud-mirror":                        "REPO=cloud-mirror is no repository",
	} {
		_, err := image.Repository(repository)
		require.ErrorContains(t, err, want)
	}
	repo, err := image.Repository("registry.example.com/cloud-mirror")
	require.NoError(t, err)
	_, err = image.Push(t.Context(), t.TempDir(), repo)
	require.ErrorContains(t, err, "run `make image`")
}

// pull returns the image of a platform.
func pull(t *testing.T, from name.Reference, p v1.Platform) v1.Image {
	t.Helper()
	img, err := remote.Image(from, remote.WithPlatform(p))
	require.NoError(t, err)
	return img
}
