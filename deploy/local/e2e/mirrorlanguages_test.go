package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

func mirrorClients() []mirrorClient {
	return []mirrorClient{
		mirrorOfGo(), mirrorOfNPM(), mirrorOfPNPM(), mirrorOfPip(), mirrorOfMaven(), mirrorOfApt(),
		mirrorOfPlaywright(), mirrorOfCurl(), mirrorOfWget(),
	}
}

// mirrorOfGo serves a file-system GOPROXY.
func mirrorOfGo() mirrorClient {
	const folder = "/example.test/cmprobe/@v/"
	return mirrorClient{
		name: "go", copy: []string{"go"}, mutable: []string{folder + "list"},
		files: func(t *testing.T, _ string, versions ...string) map[string][]byte {
			t.Helper()
			files := map[string][]byte{folder + "list": []byte("v" + strings.Join(versions, "\nv") + "\n")}
			for _, v := range versions {
				for name, content := range newModule(t, v, probe(v)) {
					files[folder+name] = content
				}
			}
			return files
		},
		run: func(t *testing.T, dir, root, newest string) {
			t.Helper()
			mustRun(t, dir, "env GOPROXY="+root+" go mod download example.test/cmprobe@latest")
			requireFile(t, []byte(probe(newest)), dir, "mod/example.test/cmprobe@v"+newest+"/cmprobe.txt")
		},
		immutable: func(v string) []string {
			return []string{folder + "v" + v + ".info", folder + "v" + v + ".mod", folder + "v" + v + ".zip"}
		},
	}
}

// npmFiles are those of a registry with cmprobe, which needs @cm/scoped 1.0.0. The packuments name
// tarballs of the public registry, as that registry's own do.
func npmFiles(t *testing.T, _ string, versions ...string) map[string][]byte {
	t.Helper()
	const public = "https://registry.npmjs.org"
	files := map[string][]byte{}
	packument := func(name, manifest string, versions ...string) {
		all := map[string]any{}
		for _, v := range versions {
			var of map[string]any
			text := fmt.Sprintf(manifest, name, v)
			require.NoError(t, json.Unmarshal([]byte(text), &of))
			path := npmTarball(name, v)
			files[path] = newTarball(t, text, probe(v))
			of["dist"] = map[string]string{"tarball": public + path, "integrity": integrity(string(files[path]))}
			all[v] = of
		}
		latest := versions[len(versions)-1]
		page, err := json.Marshal(map[string]any{"name": name, "dist-tags": map[string]string{"latest": latest}, "versions": all})
		require.NoError(t, err)
		files["/"+name+"/index.html"] = page
	}
	packument("cmprobe", `{"name":%q,"version":%q,"dependencies":{"@cm/scoped":"^1.0.0"}}`, versions...)
	packument("@cm/scoped", `{"name":%q,"version":%q}`, "1.0.0")
	return files
}

func npmTarball(name, version string) string {
	return "/" + name + "/-/" + filepath.Base(name) + "-" + version + ".tgz"
}

func mirrorOfNPM() mirrorClient {
	return mirrorClient{
		name: "npm", copy: []string{"npm"}, mutable: []string{"/cmprobe", "/@cm%2fscoped"}, files: npmFiles,
		run: func(t *testing.T, dir, root, newest string) {
			t.Helper()
			mustRun(t, dir, "npm install --prefix . --registry "+root+"/ cmprobe")
			requireFile(t, []byte(probe(newest)), dir, "node_modules/cmprobe/index.js")
			requireFile(t, []byte(probe("1.0.0")), dir, "node_modules/@cm/scoped/index.js")
		},
		immutable: func(v string) []string {
			if v != "1.0.0" {
				return []string{npmTarball("cmprobe", v)}
			}
			return []string{npmTarball("cmprobe", v), npmTarball("@cm/scoped", v)}
		},
	}
}

// mirrorOfPNPM installs from a lock file, as CI does. pnpm then builds the tarballs' URLs from its
// registry's. Otherwise it takes them from the packument.
func mirrorOfPNPM() mirrorClient {
	c := mirrorOfNPM()
	c.name, c.mutable = "pnpm", []string{"/cmprobe", "/@cm%2Fscoped"}
	var files map[string][]byte
	c.files = func(t *testing.T, root string, versions ...string) map[string][]byte {
		t.Helper()
		files = npmFiles(t, root, versions...)
		return files
	}
	c.run = func(t *testing.T, dir, root, newest string) {
		t.Helper()
		writeFile(t, []byte(`{"dependencies":{"cmprobe":"^1.0.0"}}`), dir, "package.json")
		writeFile(t, fmt.Appendf(nil, `lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      cmprobe: {specifier: ^1.0.0, version: %[1]s}
packages:
  cmprobe@%[1]s:
    resolution: {integrity: %[2]s}
  '@cm/scoped@1.0.0':
    resolution: {integrity: %[3]s}
snapshots:
  cmprobe@%[1]s:
    dependencies: {'@cm/scoped': 1.0.0}
  '@cm/scoped@1.0.0': {}
`, newest, integrity(string(files[npmTarball("cmprobe", newest)])), integrity(string(files[npmTarball("@cm/scoped", "1.0.0")]))), dir, "pnpm-lock.yaml")
		pnpm := "env npm_config_registry=" + root + "/ XDG_CACHE_HOME=" + dir + " node " + npmClient(t, "pnpm/bin/pnpm.cjs") + " --store-dir store "
		mustRun(t, dir, pnpm+"install --frozen-lockfile")
		requireFile(t, []byte(probe(newest)), dir, "node_modules/cmprobe/index.js")
		// The index: a new lock file names the newest version.
		mustRun(t, dir, pnpm+"update --lockfile-only")
		lock, err := os.ReadFile(filepath.Join(dir, "pnpm-lock.yaml"))
		require.NoError(t, err)
		require.Contains(t, string(lock), "cmprobe@"+newest)
	}
	return c
}

// npmClient returns the path of a file of a client that `make clients` installs with npm.
func npmClient(t *testing.T, name string) string {
	t.Helper()
	root, err := stack.FindRoot(".")
	require.NoError(t, err)
	file := filepath.Join(root, ".cache", "clients", "node_modules", filepath.FromSlash(name))
	require.FileExists(t, file, "this test needs real clients: run `make clients`")
	return file
}

// mirrorOfPip has an index of its own. Its absolute links lead to the mirror.
func mirrorOfPip() mirrorClient {
	file := func(version string) string { return "/packages/cmprobe-" + version + "-py3-none-any.whl" }
	return mirrorClient{
		name: "pip", copy: []string{"^/packages/"}, mutable: []string{"/simple/cmprobe/"},
		files: func(t *testing.T, root string, versions ...string) map[string][]byte {
			t.Helper()
			files, page := map[string][]byte{}, "<!doctype html>"
			for _, v := range versions {
				files[file(v)] = newWheel(t, v, probe(v))
				sum := sha256.Sum256(files[file(v)])
				page += `<a href="` + root + file(v) + "#sha256=" + hex.EncodeToString(sum[:]) + `">` + filepath.Base(file(v)) + `</a>`
			}
			files["/simple/cmprobe/index.html"] = []byte(page)
			return files
		},
		run: func(t *testing.T, dir, root, newest string) {
			t.Helper()
			mustRun(t, dir, "pip3 install --no-deps --target out --index-url "+root+"/simple/ cmprobe")
			requireFile(t, []byte(probe(newest)), dir, "out", "cmprobe.py")
		},
		immutable: func(v string) []string { return []string{file(v)} },
	}
}
