package paths_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/paths"
)

func TestLeaves(t *testing.T) {
	for _, path := range []string{
		"/..", "/../x", "/a/../b", "/.", "/./x", "/a/.", "/..;a=b/x", "/.;/x",
		"/%2e%2e/x", "/.%2E/x", "/%252e/x", "/a%2fb", "/a%5Cb", `/a\b`, "/a%00b", "/..%00", "/a%0ab", "/%7f", "/%c0%ae", "/%C1x",
		"/..%3b/x", "/..%3Bx", "/..%253b", "/..%3f", "/a/..%3F/x", "/.%23x", "/..%2523", "/..%20", "/.. /x",
	} {
		require.True(t, paths.Leaves(path), path)
	}
	for _, path := range []string{
		"/", "/a", "/a//b", "/...", "/..a", "/a../b", "/.a/x", "/..%41", "/.%C3%A9", "/..%2b", "/a%3f", "/a%23b", "/a%20b", "/a;..",
		"/..%", "/..%2", "/%zz", "/%25", "/%25zz", "/a.b",
	} {
		require.False(t, paths.Leaves(path), path)
	}
}

func TestValidEscapes(t *testing.T) {
	for _, path := range []string{"", "/", "/%20", "/%Aa%fF", "/%2525"} {
		require.True(t, paths.ValidEscapes(path), path)
	}
	for _, path := range []string{"/%", "/%2", "/%zz", "/a%2", "/%%20", "/%2g"} {
		require.False(t, paths.ValidEscapes(path), path)
	}
}
