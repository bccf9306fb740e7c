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

// TestForgettingAllTakesNoLongerForMany compares two near caches. While all entries are forgotten,
// hits wait for the mutex.
func TestForgettingAllTakesNoLongerForMany(t *testing.T) {
	const few, many = 1000, 100_000
	quickest := func(entries int) time.Duration {
		best := time.Hour
		for range 5 {
			n := filled(entries)
			_, held := n.Remembered("0", time.Now())
			require.True(t, held, "control")
			start := time.Now()
			n.forgetAll()
			best = min(best, time.Since(start))
			n.freshSince(time.Now())
			_, held = n.Remembered("0", time.Now())
			require.False(t, held)
			require.Zero(t, n.Len())
		}
		return best
	}
	a, b := quickest(few), quickest(many)
	t.Logf("%v for %d entries, %v for %d", a, few, b, many)
	require.Less(t, b, 20*max(a, 50*time.Microsecond), "time for 100 times the entries")
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
