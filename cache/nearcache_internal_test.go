package cache

import (
	"strconv"
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
	n.entries.Load().Set(key, keep(Entry{State: Present, Deadline: known.Add(time.Hour)}))
	_, held := n.Remembered(key, known)
	require.False(t, held, "before redis has sent anything")
	n.freshSince(known)
	_, held = n.Remembered(key, known.Add(maxStale-1))
	require.True(t, held, "control")
	_, held = n.Remembered(key, known.Add(maxStale))
	require.False(t, held)
}

// filled returns a near cache with n entries that are fresh for a while.
func filled(n int) *NearCache {
	c := NewNearCache(&Redis{now: time.Now}, NearCacheOptions{Entries: 2 * n, Bytes: int64(n) << 11})
	for i := range n {
		c.entries.Load().Set(strconv.Itoa(i), keep(Entry{State: Present, Deadline: time.Now().Add(time.Hour)}))
	}
	c.freshSince(time.Now().Add(time.Hour))
	return c
}

// TestForgetAll forgets all entries of a large cache. Hits wait meanwhile: BenchmarkForgetAll measures
// for how long.
func TestForgetAll(t *testing.T) {
	n := filled(100_000)
	_, held := n.Remembered("0", time.Now())
	require.True(t, held, "control")
	n.forgetAll()
	n.freshSince(time.Now())
	_, held = n.Remembered("0", time.Now())
	require.False(t, held)
	require.Zero(t, n.Len())
}

func BenchmarkForgetAll(b *testing.B) {
	for _, entries := range []int{1000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(entries), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				n := filled(entries)
				b.StartTimer()
				n.forgetAll()
			}
		})
	}
}
