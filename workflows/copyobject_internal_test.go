package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizeInWords(t *testing.T) {
	for size, want := range map[int64]string{-1: "an unknown size", 0: "0 B", 1: "1 B", 3 << 20: "3.0 MiB"} {
		require.Equal(t, want, bytes(size))
	}
}
