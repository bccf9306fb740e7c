package upstream_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

const (
	hex40  = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	hex64  = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	nix32  = "1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3"
	digest = "sha256:" + hex64
)

// builtin holds paths of each set. A plus is immutable, a minus is mutable.
var builtin = map[string]string{
	"github": `
		+ /cli/cli/releases/download/v2.40.1/gh_2.40.1_linux_amd64.tar.gz
		+ /jqlang/jq/releases/download/jq-1.7.1/jq-linux-amd64
		+ /o/r/releases/download/tool/v1.2.3/tool.zip
		+ /o/r/releases/download/20240107/cpython.tar.zst
		+ /o/r/releases/download/b1234/llama.zip
		+ /o/r/releases/download/nightly-2024-05-01/a.zip
		+ /o/r/releases/download/nightly-20240501/a.zip
		+ /o/r/releases/download/v1.2/latest.zip
		+ /o/r/releases/download/v10.0/a.zip
		+ /o/r/releases/download/1.0-x64/a.zip
		+ /o/r/releases/download/1.xz/a.zip
		+ /AppImage/AppImageKit/releases/download/13/appimagetool-x86_64.AppImage
		+ /o/r/archive/` + hex40 + `.tar.gz
		+ /o/r/archive/` + hex40 + `.zip
		+ /o/r/tar.gz/` + hex40 + `
		+ /o/r/zip/` + hex40 + `
		- /
		- /o/r
		- /o/r/releases/latest/download/a.zip
		- /o/r/releases/download/latest/a.zip
		- /o/r/releases/download/nightly/a.zip
		- /o/r/releases/download/stable/a.zip
		- /o/r/releases/download/Latest-1/a.zip
		- /o/r/releases/download/v2-snapshot/a.zip
		- /o/r/releases/download/v1.2.3-nightly/a.zip
		- /o/r/releases/download/1.x-dev/a.zip
		- /o/r/releases/download/v2.daily/a.zip
		- /o/r/releases/download/2.0-Weekly/a.zip
		- /o/r/releases/download/1.x/a.zip
		- /o/r/releases/download/v2.1.x/a.zip
		- /o/r/releases/download/v3.X-rc/a.zip
		- /o/r/releases/download/v4/a.zip
		- /o/r/releases/download/v12/a.zip
		- /o/r/releases/download/v1.0/
		- /o/r/releases/download/v1.0
		- /o/r/releases/download/latest/v1.0/a.zip
		- /o/r/releases/tag/v1.0
		- /o/r/releases/download/tool%2Fv1.2.3/tool.zip
		- /o//releases/download/v1.0/a.zip
		- /o/r/archive/refs/tags/v1.0.tar.gz
		- /o/r/archive/refs/heads/main.zip
		- /o/r/archive/main.zip
		- /o/r/archive/da39a3e.zip
		- /o/r/archive/` + hex40 + `.exe
		- /o/r/archive/` + strings.ToUpper(hex40) + `.zip
		- /o/r/tar.gz/refs/tags/v1.0
		- /o/r/tar.gz/main
		- /o/r/raw/` + hex40 + `/a
		- /o/r.git/info/refs
		`,
	"go": `
		+ /golang.org/x/text/@v/v0.14.0.zip
		+ /golang.org/x/text/@v/v0.14.0.mod
		+ /golang.org/x/text/@v/v0.14.0.info
		+ /github.com/!azure/azure-sdk-for-go/@v/v68.0.0+incompatible.zip
		+ /github.com/a/b/v2/@v/v2.0.0-rc.1.zip
		+ /golang.org/x/mod/@v/v0.0.0-20191109021931-daa7c04131f5.zip
		+ /example.com/m/@v/v1.2.4-0.20191109021931-daa7c04131f5.zip
		+ /example.com/m/@v/v1.2.3-!r!c1.zip
		+ /example.com/~user/m/@v/v1.0.0.zip
		+ /gopkg.in/yaml.v3/@v/v3.0.1.zip
		+ /golang.org/toolchain/@v/v0.0.1-go1.21.0.linux-amd64.zip
		- /golang.org/x/text/@latest
		- /golang.org/x/text/@v/list
		- /golang.org/x/text/@v/master.info
		- /golang.org/x/text/@v/v1.info
		- /golang.org/x/text/@v/v1.2.info
		- /golang.org/x/text/@v/v1.2.3
		- /golang.org/x/text/@v/v1.2.3.ziphash
		- /golang.org/x/text/@v/v01.2.3.zip
		- /golang.org/x/text/@v/v1.2.3-01.zip
		- /golang.org/x/text/@v/v1.2.3-.zip
		- /golang.org/x/text/@v/v1.2.3-a..b.zip
		- /golang.org/x/text/@v/v1.2.3+meta.zip
		- /golang.org/x/text/@v/v1.2.3-RC1.zip
		- /golang.org/x/text/@v/v1.2.3-!1.zip
		- /golang.org/x/text/@v/1.2.3.zip
		- /golang.org/x/text/@v/.zip
		- /github.com/Azure/a/@v/v1.0.0.zip
		- /github.com/!!azure/a/@v/v1.0.0.zip
		- /github.com/!Azure/a/@v/v1.0.0.zip
		- /@v/v1.0.0.zip
		- /golang.org/.x/@v/v1.0.0.zip
		- /a/@v/@v/v1.0.0.zip
		- /sumdb/sum.golang.org/latest
		- /sumdb/sum.golang.org/lookup/golang.org/x/text@v0.14.0
		`,
	"npm": `
		+ /lodash/-/lodash-4.17.21.tgz
		+ /@babel/core/-/core-7.23.6.tgz
		+ /@babel/core/-/@babel/core-7.23.6.tgz
		+ /JSONStream/-/JSONStream-1.3.5.tgz
		+ /a.b_c/-/a.b_c-0.0.1-beta.1.tgz
		+ /left-pad/-/left-pad-1.3.0.tgz
		- /lodash
		- /@babel%2fcore
		- /@babel/core
		- /@babel%2fcore/-/core-7.23.6.tgz
		- /lodash/4.17.21
		- /lodash/latest
		- /-/package/lodash/dist-tags
		- /-/v1/search
		- /-/npm/v1/security/advisories/bulk
		- /lodash/-/lodash-latest.tgz
		- /lodash/-/other-1.0.0.tgz
		- /lodash/-/lodash-4.17.21.tgz/
		- /lodash/-/lodash-4.tgz
		- /lodash/-/lodash-4.17.21.tar
		- /lodash/-/x/lodash-4.17.21.tgz
		- /@babel/core/-/@evil/core-7.23.6.tgz
		- /a/b/-/b-1.0.0.tgz
		- /@/core/-/core-1.0.0.tgz
		- /-/-/-1.0.0.tgz
		`,
	"maven": `
		+ /maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar
		+ /maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.pom
		+ /maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.pom.sha1
		+ /org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9-sources.jar
		+ /junit/junit/4.13.2/junit-4.13.2.jar
		+ /com/google/guava/guava/32.1.3-jre/guava-32.1.3-jre.module
		+ /org/apache/maven/apache-maven/3.9.9/apache-maven-3.9.9-bin.tar.gz
		+ /org/springframework/cloud/spring-cloud-dependencies/Finchley.RELEASE/spring-cloud-dependencies-Finchley.RELEASE.pom
		+ /org/jetbrains/kotlin/kotlin-stdlib/2.0.0-dev-1234/kotlin-stdlib-2.0.0-dev-1234.jar
		+ /m2/a/a.gradle.plugin/1.0/a.gradle.plugin-1.0.pom.asc
		- /
		- /maven2/org/slf4j/slf4j-api/maven-metadata.xml
		- /maven2/org/slf4j/slf4j-api/maven-metadata.xml.sha1
		- /maven2/org/slf4j/slf4j-api/2.0.9/maven-metadata.xml
		- /maven2/org/slf4j/slf4j-api/2.0.9/
		- /maven2/org/slf4j/slf4j-api/2.0.9
		- /maven2/org/slf4j/slf4j-api
		- /org/a/a/1.0-SNAPSHOT/a-1.0-SNAPSHOT.jar
		- /org/a/a/1.0-SNAPSHOT/a-1.0-20240101.120000-1.jar
		- /org/a/a/1.0-snapshot/a-1.0-snapshot.jar
		- /org/a/a/1.0-SNAPSHOT/maven-metadata.xml
		- /archetype-catalog.xml
		- /.index/nexus-maven-repository-index.gz
		- /.index/a/1.0/a-1.0.gz
		- /org/a/a/LATEST/a-LATEST.jar
		- /org/a/a/latest/a-latest.jar
		- /org/a/a/release/a-release.jar
		- /org/a/a/nightly/a-nightly.jar
		- /org/a/a/main/a-main.zip
		- /org/a/a/RELEASE/a-RELEASE.jar
		- /org/a/a/1.0/b-1.0.jar
		- /org/a/a/1.0/a-1.1.jar
		- /org/a/a/1.0/a-1.0
		- /org/a/a/1.0/a-1.0.
		- /a/1.0/a-1.0.jar/
		- /org/a/a/1.0/a-1.01.jar
		`,
	"nix": `
		+ /nar/` + nix32 + `.nar.xz
		+ /nar/` + nix32 + `.nar.zst
		+ /nar/` + nix32 + `.nar
		+ /nar/` + hex64 + `.nar.bz2
		+ /nar/ikn9bv7c6yhjwq8x1d4jc2s6a2n7mbpa-` + nix32 + `.nar
		+ /cache/nar/` + nix32 + `.nar.xz
		- /ikn9bv7c6yhjwq8x1d4jc2s6a2n7mbpa.narinfo
		- /nix-cache-info
		- /ikn9bv7c6yhjwq8x1d4jc2s6a2n7mbpa.ls
		- /log/x.drv
		- /nar/
		- /nar/x.nar.xz
		- /nar/ikn9bv7c6yhjwq8x1d4jc2s6a2n7mbpa.nar
		- /nar/` + nix32 + `
		- /nar/` + nix32 + `.narinfo
		- /nar/` + nix32 + `.nar.xz/
		- /nar/` + strings.ToUpper(nix32) + `.nar.xz
		- /nar/x/` + nix32 + `.nar.xz
		`,
	"conda": `
		+ /conda-forge/linux-64/python-3.12.1-hab00c5b_1_cpython.conda
		+ /conda-forge/noarch/pip-23.3.2-pyhd8ed1ab_0.conda
		+ /pkgs/main/osx-arm64/zlib-1.2.13-h5a0b063_0.tar.bz2
		+ /conda-forge/label/dev/win-64/a-b-1.0-0.conda
		+ /linux-aarch64/zlib-1.2.13-h31becfc_5.conda
		- /conda-forge/linux-64/repodata.json
		- /conda-forge/linux-64/repodata.json.zst
		- /conda-forge/linux-64/current_repodata.json
		- /conda-forge/linux-64/repodata_shards.msgpack.zst
		- /conda-forge/channeldata.json
		- /conda-forge/linux-64/
		- /conda-forge/linux-64/python.conda
		- /conda-forge/linux-64/python-latest-0.conda
		- /conda-forge/linux-64/python-3.12.1.conda
		- /conda-forge/somewhere/python-3.12.1-0.conda
		- /conda-forge/linux-64/python-3.12.1-0.zip
		- /t/secret/conda-forge/linux-64/python-3.12.1-0.conda
		- /python-3.12.1-0.conda
		- /miniconda/Miniconda3-latest-Linux-x86_64.sh
		`,
	"deb": `
		+ /debian/pool/main/h/hello/hello_2.10-3_amd64.deb
		+ /pool/main/h/hello/hello_2.10-3_amd64.deb
		+ /debian/pool/main/g/glibc/libc6-udeb_2.36-9_amd64.udeb
		+ /debian/pool/main/h/hello/hello_2.10.orig.tar.gz
		+ /debian/pool/main/h/hello/hello_2.10-3.debian.tar.xz
		+ /debian/pool/main/h/hello/hello_2.10-3.dsc
		+ /debian/pool/main/h/hello/hello_2.10.orig.tar.gz.asc
		+ /linux/debian/dists/bookworm/pool/stable/amd64/docker-ce_24.0.7-1~debian.12~bookworm_amd64.deb
		+ /pool/main/a/a_1%2b2_all.deb
		+ /debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/` + hex64 + `
		+ /flat/by-hash/SHA256/` + hex64 + `
		+ /debian/dists/sid/by-hash/SHA512/` + hex64 + hex64 + `
		- /debian/dists/bookworm/InRelease
		- /debian/dists/bookworm/Release
		- /debian/dists/bookworm/Release.gpg
		- /debian/dists/bookworm/main/binary-amd64/Packages.xz
		- /debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/
		- /debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/` + hex40 + `
		- /debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/` + strings.ToUpper(hex64) + `
		- /debian/dists/bookworm/main/binary-amd64/by-hash/MD5Sum/0123456789abcdef0123456789abcdef
		- /debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/` + hex64 + `.gz
		- /by-hash/` + hex64 + `
		- /debian/pool/main/h/hello/
		- /debian/pool/main/h/hello
		- /debian/pool/main/h/hello/hello.deb
		- /debian/pool/main/h/hello/hello_latest_amd64.deb
		- /debian/pool/main/h/hello/hello_2.10-3_amd64.txt
		- /linux/direct/google-chrome-stable_current_amd64.deb
		- /debian/hello_2.10-3_amd64.deb
		- /debian/pool/hello_2.10_amd64.deb/index.html
		`,
	"rpm": `
		+ /fedora/39/Everything/x86_64/os/Packages/b/bash-5.2.15-5.fc39.x86_64.rpm
		+ /Packages/tzdata-2023c-1.el9.noarch.rpm
		+ /Packages/kernel-5.14.0-362.el9.src.rpm
		+ /a/gpg-pubkey-1.0-1.aarch64.rpm
		+ /a/repodata/` + hex64 + `-primary.xml.gz
		+ /repodata/` + hex64 + `-filelists.xml.zst
		+ /repodata/` + hex40 + `-other.sqlite.bz2
		- /repodata/repomd.xml
		- /repodata/repomd.xml.asc
		- /repodata/primary.xml.gz
		- /repodata/` + hex64 + `
		- /repodata/` + hex64 + `-
		- /repodata/` + strings.ToUpper(hex64) + `-primary.xml.gz
		- /repodata/` + hex64[:39] + `-primary.xml.gz
		- /other/` + hex64 + `-primary.xml.gz
		- /epel/epel-release-latest-9.noarch.rpm
		- /google-chrome-stable_current_x86_64.rpm
		- /percona-release-latest.noarch.rpm
		- /Packages/bash.rpm
		- /Packages/bash-5.2.15.x86_64.rpm
		- /Packages/bash-5.2.15-5.fc39.rpm
		- /Packages/
		- /mirrorlist
		`,
	"rustup": `
		+ /dist/2023-12-28/rust-1.75.0-x86_64-unknown-linux-gnu.tar.xz
		+ /dist/2023-12-28/channel-rust-nightly.toml
		+ /dist/2023-12-28/channel-rust-nightly.toml.sha256
		+ /rustup/archive/1.26.0/x86_64-unknown-linux-gnu/rustup-init
		+ /rustup/archive/1.26.0/x86_64-pc-windows-msvc/rustup-init.exe
		- /dist/channel-rust-stable.toml
		- /dist/channel-rust-nightly.toml.sha256
		- /dist/rust-nightly-x86_64-unknown-linux-gnu.tar.xz
		- /dist/2023-12-28/index.html
		- /dist/2023-12-28/
		- /dist/2023-12-28
		- /dist/2023-13-28/a.tar.xz
		- /dist/2023-12-32/a.tar.xz
		- /dist/2023-1-28/a.tar.xz
		- /dist/2023-12-28/x/a.tar.xz
		- /dist/index.html
		- /rustup/release-stable.toml
		- /rustup/dist/x86_64-unknown-linux-gnu/rustup-init
		- /rustup/archive/
		- /rustup/archive/stable/x86_64-unknown-linux-gnu/rustup-init
		- /rustup/archive/1.26/x86_64-unknown-linux-gnu/rustup-init
		- /rustup/archive/1.26.0/x86_64-unknown-linux-gnu
		- /rustup/archive/1.26.0/x86_64-unknown-linux-gnu/
		- /rustup/rustup-init.sh
		`,
	"node": `
		+ /dist/v20.10.0/node-v20.10.0-linux-x64.tar.xz
		+ /v20.10.0/node-v20.10.0-linux-x64.tar.gz
		+ /download/release/v20.10.0/node-v20.10.0-headers.tar.gz
		+ /dist/v20.10.0/win-x64/node.exe
		+ /dist/v20.10.0/win-x64/node.lib
		- /dist/v20.10.0/SHASUMS256.txt
		- /dist/v20.10.0/SHASUMS256.txt.asc
		- /dist/v20.10.0/SHASUMS256.txt.sig
		- /dist/v20.10.0/SHASUMS.txt
		- /dist/v20.10.0/index.html
		- /dist/index.json
		- /dist/index.tab
		- /dist/latest/node-v21.5.0-linux-x64.tar.gz
		- /dist/latest-v20.x/node-v20.10.0-linux-x64.tar.gz
		- /dist/v20.x/node-v20.10.0.tar.gz
		- /dist/v20.10.0/
		- /dist/v20.10.0
		- /dist/v20.10/node.tar.gz
		- /dist/v20.10.0-rc.1/node.tar.gz
		- /dist/20.10.0/node.tar.gz
		- /dist/v20.10.0/docs/api/all.html
		- /dist/v20.10.0/docs/
		- /dist/v20.10.0/win-x64
		- /download/nightly/v21.0.0-nightly20230801d396a041f7/node.tar.gz
		- /download/v20.10.0/node.tar.gz
		- /en/download
		`,
	"oci": `
		+ /v2/library/alpine/blobs/` + digest + `
		+ /v2/alpine/blobs/` + digest + `
		+ /v2/a/b/c.d/e__f-g/blobs/` + digest + `
		+ /docker/registry/v2/blobs/sha256/ba/` + hex64 + `/data
		- /v2/
		- /v2/library/alpine/manifests/latest
		- /v2/library/alpine/manifests/` + digest + `
		- /v2/library/alpine/tags/list
		- /v2/library/alpine/referrers/` + digest + `
		- /v2/library/alpine/blobs/uploads/
		- /v2/library/alpine/blobs/uploads/1234
		- /v2/library/alpine/blobs/sha256%3A` + hex64 + `
		- /v2/library/alpine/blobs/sha256:` + strings.ToUpper(hex64) + `
		- /v2/library/alpine/blobs/sha256:` + hex64[1:] + `
		- /v2/library/alpine/blobs/sha256:` + hex64 + `0
		- /v2/library/alpine/blobs/sha512:` + hex64 + hex64 + `
		- /v2/library/alpine/blobs/` + digest + `/
		- /v2/Library/alpine/blobs/` + digest + `
		- /v2/blobs/` + digest + `
		- /v2/a/-b/blobs/` + digest + `
		- /v1/library/alpine/blobs/` + digest + `
		- /docker/registry/v2/blobs/sha256/bb/` + hex64 + `/data
		- /docker/registry/v2/blobs/sha256/ba/` + hex64 + `
		- /docker/registry/v2/blobs/sha256/ba/` + hex64 + `/
		- /docker/registry/v2/repositories/alpine/_manifests/tags/latest/current/link
		`,
}

func TestBuiltIn(t *testing.T) {
	for set, lines := range builtin {
		s, err := upstream.New([]upstream.Options{{URL: "https://example.com", Copy: []string{set}}})
		require.NoError(t, err)
		var immutable, mutable int
		for line := range strings.Lines(strings.TrimSpace(lines)) {
			sign, path, _ := strings.Cut(strings.TrimSpace(line), " ")
			t.Run(set+" "+path, func(t *testing.T) {
				m, err := s.Resolve("example.com" + path)
				require.NoError(t, err)
				require.Equal(t, sign == "+", m.Copy)
				require.Equal(t, "https://example.com"+path, m.URL)
				require.Equal(t, m.Copy && (set == "oci" || strings.Contains(path, "by-hash/SHA256/")), m.SHA256 == hex64)
			})
			if sign == "+" {
				immutable++
			} else {
				mutable++
			}
		}
		require.GreaterOrEqual(t, immutable, 4, set)
		require.GreaterOrEqual(t, mutable, 8, set)
	}
	require.Len(t, builtin, len(upstream.BuiltIn()), "each set has lines")
}

// A directory is never immutable, whatever a set says about the files in it.
func TestBuiltInCopiesNoDirectory(t *testing.T) {
	s, err := upstream.New([]upstream.Options{{URL: "https://example.com", Copy: upstream.BuiltIn()}})
	require.NoError(t, err)
	files := 0
	for _, lines := range builtin {
		for line := range strings.Lines(strings.TrimSpace(lines)) {
			path, immutable := strings.CutPrefix(strings.TrimSpace(line), "+ ")
			if !immutable {
				continue
			}
			m, err := s.Resolve("example.com" + path)
			require.NoError(t, err)
			require.True(t, m.Copy, "control: %s", path)
			for parts := strings.Split(path, "/"); len(parts) > 1; parts = parts[:len(parts)-1] {
				directory := strings.Join(parts, "/") + "/"
				m, err = s.Resolve("example.com" + directory)
				require.NoError(t, err)
				require.False(t, m.Copy, directory)
			}
			files++
		}
	}
	require.Greater(t, files, 60)
}
