package e2e

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mirrorOfMaven serves a repository. A project's parent has a range of versions, so that Maven
// reads the metadata. The project has a build extension of the parent's version, since Maven itself
// gets its jar, without a plugin.
func mirrorOfMaven() mirrorClient {
	const group = "/test/cm/"
	const utils = "/org/codehaus/plexus/plexus-utils/1.1/plexus-utils-1.1.jar" // An implied dependency of extensions.
	path := func(artifact, version, ext string) string {
		return group + artifact + "/" + version + "/" + artifact + "-" + version + ext
	}
	return mirrorClient{
		name: "maven", copy: []string{"maven"}, mutable: []string{group + "parent/maven-metadata.xml"},
		files: func(t *testing.T, _ string, versions ...string) map[string][]byte {
			t.Helper()
			const model = "<project><modelVersion>4.0.0</modelVersion><groupId>test.cm</groupId>"
			files := map[string][]byte{
				group + "parent/maven-metadata.xml": []byte("<metadata><groupId>test.cm</groupId><artifactId>parent</artifactId><versioning><versions>" +
					"<version>" + strings.Join(versions, "</version><version>") + "</version></versions></versioning></metadata>"),
				utils: zipped(t, member{"utils.txt", "utils"}),
			}
			for _, v := range versions {
				files[path("parent", v, ".pom")] = []byte(model + "<artifactId>parent</artifactId><version>" + v + "</version><packaging>pom</packaging>" +
					"<build><extensions><extension><groupId>test.cm</groupId><artifactId>cmprobe</artifactId><version>" + v + "</version></extension></extensions></build></project>")
				files[path("cmprobe", v, ".pom")] = []byte(model + "<artifactId>cmprobe</artifactId><version>" + v + "</version></project>")
				files[path("cmprobe", v, ".jar")] = zipped(t, member{"cmprobe.txt", probe(v)})
			}
			for name, content := range files {
				sum := sha1.Sum(content)
				files[name+".sha1"] = []byte(hex.EncodeToString(sum[:]))
			}
			return files
		},
		run: func(t *testing.T, dir, root, newest string) {
			t.Helper()
			writeFile(t, []byte(`<project><modelVersion>4.0.0</modelVersion>
<parent><groupId>test.cm</groupId><artifactId>parent</artifactId><version>[1.0,2.0)</version><relativePath/></parent>
<groupId>test.cm</groupId><artifactId>app</artifactId><version>1</version><packaging>pom</packaging></project>`), dir, "pom.xml")
			writeFile(t, []byte(`<settings><mirrors><mirror><id>cloud-mirror</id><url>`+root+`</url><mirrorOf>*</mirrorOf></mirror></mirrors></settings>`),
				dir, "settings.xml")
			mustRun(t, dir, "mvn -B -q -s settings.xml -Dmaven.repo.local="+filepath.Join(dir, "m2")+" validate")
			requireFile(t, zipped(t, member{"cmprobe.txt", probe(newest)}), dir, "m2", path("cmprobe", newest, ".jar"))
		},
		immutable: func(v string) []string {
			all := []string{path("parent", v, ".pom"), path("cmprobe", v, ".pom"), path("cmprobe", v, ".jar"), path("cmprobe", v, ".jar.sha1")}
			if v == "1.0.0" {
				all = append(all, utils)
			}
			return all
		},
	}
}

// mirrorOfApt serves a repository with indices by their digests. dpkg-deb builds its packages.
func mirrorOfApt() mirrorClient {
	const release = "/dists/stable/Release"
	deb := func(version string) string { return "/pool/main/c/cmprobe/cmprobe_" + version + "_all.deb" }
	byHash := func(index []byte) string {
		sum := sha256.Sum256(index)
		return "/dists/stable/main/binary-amd64/by-hash/SHA256/" + hex.EncodeToString(sum[:])
	}
	debs, indices := map[string][]byte{}, map[string][]byte{} // By version.
	return mirrorClient{
		name: "apt", copy: []string{"deb"}, mutable: []string{release},
		files: func(t *testing.T, _ string, versions ...string) map[string][]byte {
			t.Helper()
			files, index := map[string][]byte{}, ""
			for _, v := range versions {
				if debs[v] == nil {
					debs[v] = newDeb(t, v)
				}
				files[deb(v)] = debs[v]
				index += fmt.Sprintf("%sFilename: %s\nSize: %d\nSHA256: %x\n\n", control(v), deb(v)[1:], len(debs[v]), sha256.Sum256(debs[v]))
			}
			content := []byte(index)
			indices[versions[len(versions)-1]] = content
			files[byHash(content)] = content
			files[release] = fmt.Appendf(nil, "Origin: test\nSuite: stable\nCodename: stable\nArchitectures: amd64\nComponents: main\n"+
				"Date: Thu, 01 Jan 2026 00:00:00 UTC\nAcquire-By-Hash: yes\nSHA256:\n %x %d main/binary-amd64/Packages\n", sha256.Sum256(content), len(content))
			return files
		},
		run: func(t *testing.T, dir, root, newest string) {
			t.Helper()
			apt := newApt(t, dir, "deb [trusted=yes] "+root+" stable main\n")
			mustRun(t, dir, apt+"update")
			mustRun(t, dir, apt+"install -y -qq --download-only cmprobe")
			requireFile(t, debs[newest], dir, "cache/archives", filepath.Base(deb(newest)))
		},
		immutable: func(v string) []string { return []string{byHash(indices[v]), deb(v)} },
	}
}

func control(version string) string {
	return "Package: cmprobe\nVersion: " + version + "\nArchitecture: all\nMaintainer: test <test@example.test>\nDescription: test\n"
}

// newDeb builds a version of a Debian package.
func newDeb(t *testing.T, version string) []byte {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "tree", "DEBIAN"), 0o755))
	writeFile(t, []byte(control(version)), dir, "tree", "DEBIAN", "control")
	writeFile(t, []byte(probe(version)), dir, "tree", "cmprobe.txt")
	mustRun(t, dir, "dpkg-deb --build --root-owner-group tree cmprobe.deb")
	deb, err := os.ReadFile(filepath.Join(dir, "cmprobe.deb"))
	require.NoError(t, err)
	return deb
}

// newApt returns the words before a subcommand of an apt-get that has its own state, and none of
// the machine's settings. By default apt requests indices from the server that a Release file was
// redirected to.
func newApt(t *testing.T, dir, source string) string {
	t.Helper()
	for _, name := range []string{"lists/partial", "cache/archives/partial", "parts"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o700))
	}
	writeFile(t, nil, dir, "status")
	writeFile(t, []byte(source), dir, "sources.list")
	writeFile(t, fmt.Appendf(nil, `Dir::Etc { main "/dev/null"; parts "%[1]s/parts"; sourcelist "%[1]s/sources.list"; sourceparts "/dev/null"; }
Dir::State { Lists "%[1]s/lists"; status "%[1]s/status"; extended_states "%[1]s/extended"; }
Dir::Cache "%[1]s/cache";
APT { Architecture "amd64"; Architectures "amd64"; Sandbox::User "root"; }
Acquire { Languages "none"; http::Proxy "DIRECT"; SameMirrorForAllIndexes "false"; }
`, dir), dir, "apt.conf")
	return "env APT_CONFIG=" + filepath.Join(dir, "apt.conf") + " apt-get -o Debug::NoLocking=1 "
}

// mirrorOfPlaywright serves a browser's archive below the path of Playwright's CDN.
func mirrorOfPlaywright() mirrorClient {
	const below = "/dbazure/download/playwright"
	var archive string
	return mirrorClient{
		name: "playwright", copy: []string{"^/"}, below: below, noIndex: true,
		files: func(t *testing.T, _ string, versions ...string) map[string][]byte {
			t.Helper()
			text, err := os.ReadFile(npmClient(t, "playwright-core/browsers.json"))
			require.NoError(t, err)
			var all struct {
				Browsers []struct{ Name, Revision string }
			}
			require.NoError(t, json.Unmarshal(text, &all))
			for _, b := range all.Browsers {
				if b.Name == "ffmpeg" {
					archive = below + "/builds/ffmpeg/" + b.Revision + "/ffmpeg-linux.zip"
				}
			}
			return map[string][]byte{archive: zipped(t, member{"ffmpeg-linux", probe(versions[0])})}
		},
		run: func(t *testing.T, dir, root, newest string) {
			t.Helper()
			mustRun(t, dir, "env PLAYWRIGHT_DOWNLOAD_HOST="+root+" PLAYWRIGHT_BROWSERS_PATH="+dir+"/browsers "+
				"PLAYWRIGHT_HOST_PLATFORM_OVERRIDE=ubuntu24.04-x64 node "+npmClient(t, "playwright-core/cli.js")+" install ffmpeg")
			found, err := filepath.Glob(filepath.Join(dir, "browsers", "ffmpeg-*", "ffmpeg-linux"))
			require.NoError(t, err)
			require.Len(t, found, 1)
			requireFile(t, []byte(probe(newest)), found[0])
		},
		immutable: func(string) []string { return []string{archive} },
	}
}

// mirrorOfCurl and mirrorOfWget resume a download.
func mirrorOfCurl() mirrorClient {
	return mirrorOfResume("curl", "curl -sSfL -o out", "curl -sSfL -C - -o out")
}

func mirrorOfWget() mirrorClient {
	return mirrorOfResume("wget", "wget -q -O out", "wget -q -c -O out")
}

func mirrorOfResume(name, plain, resume string) mirrorClient {
	const half = 150_000
	file := func(version string) string { return "/files/cmprobe-" + version + ".bin" }
	content := func(version string) []byte { return bytes.Repeat([]byte(probe(version)), 2*half/len(probe(version))) }
	return mirrorClient{
		name: name, copy: []string{"^/files/"}, mutable: []string{"/latest"},
		files: func(_ *testing.T, _ string, versions ...string) map[string][]byte {
			files := map[string][]byte{"/latest": []byte(versions[len(versions)-1])}
			for _, v := range versions {
				files[file(v)] = content(v)
			}
			return files
		},
		run: func(t *testing.T, dir, root, newest string) {
			t.Helper()
			mustRun(t, dir, plain, root+"/latest")
			requireFile(t, []byte(newest), dir, "out")
			writeFile(t, content(newest)[:half], dir, "out")
			mustRun(t, dir, resume, root+file(newest))
			requireFile(t, content(newest), dir, "out")
		},
		immutable: func(v string) []string { return []string{file(v)} },
	}
}
