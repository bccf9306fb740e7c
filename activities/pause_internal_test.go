package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPauses(t *testing.T) {
	for free, most := range map[int32]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 6: 30 * time.Second, 1000: 30 * time.Second} {
		for range 100 {
			pause := turnPause(free)
			require.GreaterOrEqual(t, pause, most/2)
			require.Less(t, pause, most)
		}
	}
	require.Equal(t, 500*time.Millisecond, RetryPauses(true).after(1))
	require.Equal(t, 8*time.Second, RetryPauses(true).after(5))
	require.Equal(t, 30*time.Second, RetryPauses(true).after(100))
	require.Equal(t, time.Second, RetryPauses(false).after(1))
	require.Equal(t, time.Minute, RetryPauses(false).after(100))
}
