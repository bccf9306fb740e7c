package upstream_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

// typical holds the path of an object of each set.
var typical = map[string]string{
	"conda":  "conda-forge/linux-64/python-3.12.1-hab00c5b_1_cpython.conda",
	"deb":    "debian/pool/main/h/hello/hello_2.10-3_amd64.deb",
	"github": "jqlang/jq/releases/download/jq-1.7.1/jq-linux-amd64",
	"go":     "github.com/!azure/azure-sdk-for-go/@v/v68.0.0+incompatible.zip",
	"maven":  "maven2/org/slf4j/slf4j-api/2.0.9/slf4j-api-2.0.9.jar",
	"nix":    "nar/" + nix32 + ".nar.xz",
	"node":   "dist/v20.10.0/node-v20.10.0-linux-x64.tar.xz",
	"npm":    "@babel/core/-/core-7.23.6.tgz",
	"oci":    "v2/library/alpine/blobs/" + digest,
	"rpm":    "fedora/39/Everything/x86_64/os/Packages/b/bash-5.2.15-5.fc39.x86_64.rpm",
	"rustup": "dist/2023-12-28/rust-1.75.0-x86_64-unknown-linux-gnu.tar.xz",
}

func BenchmarkResolve(b *testing.B) {
	run := func(name, target string, copied bool, rules ...string) {
		b.Run(name, func(b *testing.B) {
			s, err := upstream.New([]upstream.Options{{URL: "https://example.com", Copy: rules}})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if m, err := s.Resolve(target); err != nil || m.Copy != copied {
					b.Fatal(target)
				}
			}
		})
	}
	const index = "example.com/maven2/org/slf4j/slf4j-api/maven-metadata.xml"
	run("pass-through/no rules", index, false)
	run("pass-through/all sets", index, false, upstream.BuiltIn()...)
	run("pass-through/an expression", index, false, `^/.+/[^/]+-[0-9][^/]*\.(jar|pom)$`)
	run("pass-through/query", index+"?a=1&bcd=efg", false, upstream.BuiltIn()...)
	run("pass-through/https", "https://"+index, false, upstream.BuiltIn()...)
	run("pass-through/upper case", "EXAMPLE.com/", false, upstream.BuiltIn()...)
	for _, set := range upstream.BuiltIn() {
		run("copy/"+set, "example.com/"+typical[set], true, set)
	}
	run("copy/an expression", "example.com/"+typical["maven"], true, `^/.+/[^/]+-[0-9][^/]*\.(jar|pom)$`)
	b.Run("refused", func(b *testing.B) {
		s := configured(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Resolve("below/../" + hex64); err == nil {
				b.Fatal("resolved")
			}
		}
	})
}

// A match costs its URL, and at most one more string if its host is in upper case.
func TestResolveAllocatesLittle(t *testing.T) {
	s, err := upstream.New([]upstream.Options{{URL: "https://example.com", Copy: upstream.BuiltIn()}})
	require.NoError(t, err)
	allocs := func(target string) int {
		return int(testing.AllocsPerRun(100, func() { _, _ = s.Resolve(target) }))
	}
	for set, path := range typical {
		require.Equal(t, 1, allocs("example.com/"+path), set)
	}
	require.Equal(t, 1, allocs("example.com/index.html?a=b"))
	require.Equal(t, 1, allocs("https://example.com/a"))
	require.LessOrEqual(t, allocs("EXAMPLE.com/a"), 2)
	require.LessOrEqual(t, allocs("https://EXAMPLE.com/a"), 2)
	require.Zero(t, allocs("other/a"))
	require.Zero(t, allocs("example.com/#"))
}
