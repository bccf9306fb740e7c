package activities_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// TestEveryClassIsKnownToTheCache compares the constants Class… of this package and of
// storage/origin with the closed set that clients see.
func TestEveryClassIsKnownToTheCache(t *testing.T) {
	var found []string
	for _, dir := range []string{".", "../storage/origin"} {
		before := len(found)
		tests := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
		packages, err := parser.ParseDir(token.NewFileSet(), dir, tests, 0) //nolint:staticcheck // No build tags here.
		require.NoError(t, err)
		for _, p := range packages {
			ast.Inspect(p, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Class") {
					return true
				}
				if text, ok := spec.Values[0].(*ast.BasicLit); ok {
					class, err := strconv.Unquote(text.Value)
					require.NoError(t, err)
					found = append(found, class)
				}
				return true
			})
		}
		require.Greater(t, len(found)-before, 8, "control: the classes of %s", dir)
	}
	require.Subset(t, cache.Classes(), found)
	found = append(found, cache.ClassTooSmall)
	for _, class := range cache.Classes() {
		require.True(t, slices.Contains(found, class), "%s is no class any more", class)
	}
}
