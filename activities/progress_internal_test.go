package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgressInWords(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		progress Progress
		reading  time.Duration
		want     string
	}{
		{Progress{Total: -1}, 0, "0 B stored"},
		{Progress{Done: 8 * mib, Total: -1, Fetched: 10 * mib}, 5 * time.Second, "8.0 MiB stored, 2.0 MiB/s"},
		{Progress{Done: 8 * mib, Total: 32 * mib, Fetched: 10 * mib}, 5 * time.Second, "8.0 MiB of 32 MiB (25 %) stored, 2.0 MiB/s, 12s left"},
		{Progress{Done: 8 * mib, Total: 32 * mib, Fetched: 10 * mib}, time.Millisecond, "8.0 MiB of 32 MiB (25 %) stored"},
		{Progress{Done: 8 * mib, Total: 32 * mib}, time.Hour, "8.0 MiB of 32 MiB (25 %) stored"},
	} {
		require.Equal(t, tc.want, tc.progress.words(tc.reading))
	}
}
