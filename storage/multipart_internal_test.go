package storage

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartSize(t *testing.T) {
	const gib = 1 << 30
	for _, tc := range []struct{ size, want, part int64 }{
		{-1, 32 << 20, 32 << 20},
		{1, 1, MinPartSize},
		{100 * gib, 32 << 20, 32 << 20},
		{1000 * gib, 32 << 20, (1000*gib + 9999) / 10_000},
	} {
		part, err := PartSize(tc.size, tc.want)
		require.NoError(t, err)
		require.Equal(t, tc.part, part)
		require.LessOrEqual(t, (tc.size+part-1)/part, int64(MaxParts))
	}
	_, err := PartSize(MaxParts*MaxPartSize+1, 32<<20)
	require.Error(t, err)
}
