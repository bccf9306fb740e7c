package cache

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNearCacheServesNothingBeyondMaxStale is about a process that was not scheduled: nothing has
// told it that its connection is dead.
func TestNearCacheServesNothingBeyondMaxStale(t *testing.T) {
	n := NewNearCache(&Redis{now: time.Now}, NearCacheOptions{Entries: 10, Bytes: 1 << 20})
	const key = "key"
	known := time.Now()
	n.entries.Set(key, Entry{State: Present, Deadline: known.Add(time.Hour)})
	_, held := n.Remembered(key, known)
	require.False(t, held, "before redis has sent anything")
	n.freshSince(known)
	_, held = n.Remembered(key, known.Add(maxStale-1))
	require.True(t, held, "control")
	_, held = n.Remembered(key, known.Add(maxStale))
	require.False(t, held)
}
