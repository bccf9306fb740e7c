package image_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
)

func TestBillsOfMaterials(t *testing.T) {
	read := func() map[string]string {
		dir, texts := t.TempDir(), map[string]string{}
		require.NoError(t, source.BOMs(t.Context(), programs, dir))
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(dir, f.Name()))
			require.NoError(t, err)
			texts[f.Name()] = string(text)
		}
		return texts
	}
	first := read()
	require.Equal(t, first, read(), "two are equal")
	for _, p := range build.Images() {
		var bom struct {
			Format   string `json:"bomFormat"`
			Metadata struct {
				Component struct{ Name, Version string } `json:"component"`
			} `json:"metadata"`
			Components []struct{ Name, Version string } `json:"components"`
		}
		require.NoError(t, json.Unmarshal([]byte(first[source.Stem(p)+".cdx.json"]), &bom))
		require.Equal(t, "CycloneDX", bom.Format)
		require.Equal(t, "github.com/cloud-mirror/cloud-mirror", bom.Metadata.Component.Name)
		require.Equal(t, source.Version, bom.Metadata.Component.Version)
		versions := map[string]string{}
		for _, c := range bom.Components {
			versions[c.Name] = c.Version
		}
		require.Contains(t, versions, "std")
		require.Contains(t, versions, "github.com/aws/aws-sdk-go-v2/service/s3")
		require.Contains(t, versions, "golang.org/x/crypto/x509roots/fallback")
	}
}
