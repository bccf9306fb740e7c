package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// TestConfigurationOfClients loads the configuration of frontend/CLIENTS.md. Its rules copy what
// the clients download, and nothing that changes.
func TestConfigurationOfClients(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "frontend", "CLIENTS.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```yaml\n(mirror:.*?)```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, 1)
	c, err := load(t, blocks[0][1])
	require.NoError(t, err)
	upstreams, err := upstream.New(c.Upstreams())
	require.NoError(t, err)
	tried := map[string]bool{}
	for path, copied := range map[string]bool{
		"go/golang.org/x/text/@v/v0.3.0.zip":                                  true,
		"go/golang.org/x/text/@v/list":                                        false,
		"npm/@babel/core/-/core-7.26.0.tgz":                                   true,
		"npm/@babel%2fcore":                                                   false,
		"nix/nar/0000000000000000000000000000000000000000000000000000.nar.xz": true,
		"nix/00000000000000000000000000000000.narinfo":                        false,
		"maven/org/slf4j/slf4j-api/2.0.16/slf4j-api-2.0.16.jar":               true,
		"maven/org/slf4j/slf4j-api/maven-metadata.xml":                        false,
		"gradle/gradle-8.14-bin.zip":                                          true,
		"gradle/gradle-8.14-rc-1-bin.zip":                                     false,
		"conda/conda-forge/linux-64/zlib-1.3.1-hb9d3cd8_2.conda":              true,
		"conda/conda-forge/linux-64/repodata.json":                            false,
		"debian/pool/main/h/hello/hello_2.10-3_amd64.deb":                     true,
		"debian/dists/bookworm/InRelease":                                     false,
		"rust/dist/2025-01-09/rustc-1.84.0-x86_64-unknown-linux-gnu.tar.xz":   true,
		"rust/dist/channel-rust-stable.toml":                                  false,
		"node/v22.11.0/node-v22.11.0-linux-x64.tar.xz":                        true,
		"node/index.json":                                                     false,
		"playwright/builds/ffmpeg/1011/ffmpeg-linux.zip":                      true,
		"playwright/builds/cft/143.0.7499.4/linux64/chrome-linux64.zip":       true,
		"playwright/latest":                                                   false,
		"github.com/electron/electron/releases/download/v33.2.0/electron.zip": true,
		"github.com/electron/electron/releases/latest/download/electron.zip":  false,
		"cypress/desktop/13.17.0?platform=linux&arch=x64":                     true,
		"cypress/desktop.json":                                                false,
		"yocto/zlib-1.3.1.tar.xz":                                             true,
		"yocto/gitshallow_git.example.org.a_0123456-1_.tar.gz":                true,
		"yocto/git2_git.example.org.a.tar.gz":                                 false, // A clone, which grows.
		"yocto/":                                                              false,
		"registry/docker/registry/v2/blobs/sha256/e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/data": true,
		"registry/docker/registry/v2/repositories/a/_manifests/tags/latest/current/link":                                    false,
		"artifacts/builds/1/target.zip": true,
		"artifacts/latest":              false,
	} {
		m, err := upstreams.Resolve(path)
		require.NoError(t, err, path)
		require.Equal(t, copied, m.Copy, path)
		tried[m.Upstream.Name] = true
	}
	require.Len(t, tried, len(upstreams.Names()))

	// Each upstream is enough for its own client.
	all := c.Mirror.Upstreams
	for name, hops := range map[string][]string{
		"cypress": {"https://cdn.cypress.io/desktop/13.17.0/linux-x64/cypress.zip"},
		"gradle": {
			"https://github.com/gradle/gradle-distributions/releases/download/v8.14.0/gradle-8.14-bin.zip",
			"https://release-assets.githubusercontent.com/github-production-release-asset/1/2",
		},
	} {
		i := slices.IndexFunc(all, func(u config.Upstream) bool { return u.Name == name })
		c.Mirror.Upstreams = all[i : i+1]
		o, err := origin.New(c.Origin())
		require.NoError(t, err)
		for _, hop := range hops {
			require.NoError(t, o.Check(hop), hop)
		}
		require.Error(t, o.Check("https://example.net/"))
	}
}
