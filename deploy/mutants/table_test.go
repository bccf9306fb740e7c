package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRowsFitTheProduct finds a stale row in a second. make mutants takes minutes.
func TestRowsFitTheProduct(t *testing.T) {
	names := map[string]bool{}
	for i, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			require.False(t, names[m.name], "another row has the name")
			names[m.name] = true
			m.file = filepath.Join("..", "..", m.file)
			_, err := m.overlay(t.TempDir(), i)
			require.NoError(t, err)
		})
	}
	require.GreaterOrEqual(t, len(names), 12)
}

// TestOverlayRefusesAStaleRow is the control of the test above.
func TestOverlayRefusesAStaleRow(t *testing.T) {
	for _, old := range []string{"no such text", "mutant"} { // Missing, and ambiguous
		_, err := mutant{name: "stale", file: "table.go", old: old}.overlay(t.TempDir(), 0)
		require.ErrorContains(t, err, "want once")
	}
}
