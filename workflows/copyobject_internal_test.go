package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizeInWords(t *testing.T) {
	for bytes, want := range map[int64]string{-1: "unknown size", 0: "0 bytes", 1: "1 byte", 2: "2 bytes"} {
		require.Equal(t, want, size(bytes))
	}
}
