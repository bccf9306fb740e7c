package cachetest

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func oneLease(t *testing.T, c Cache, key string) {
	var got sync.Map
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			e, mine, err := c.Acquire(t.Context(), key, lease(strconv.Itoa(i), time.Minute))
			if err == nil && mine {
				got.Store(e.Owner, true)
			}
		})
	}
	all.Wait()
	owners := 0
	got.Range(func(owner, _ any) bool {
		owners++
		require.Equal(t, owner, get(t, c, key).Owner)
		return true
	})
	require.Equal(t, 1, owners)
}

func releasedLease(t *testing.T, c Cache, key string) {
	lease := acquire(t, c, key, "a", time.Minute)
	require.NoError(t, c.Release(t.Context(), key, lease))
	acquire(t, c, key, "b", time.Minute)
}

func expiredLease(t *testing.T, c Cache, key string) {
	acquire(t, c, key, "a", 50*time.Millisecond)
	require.Eventually(t, func() bool {
		_, mine, err := c.Acquire(t.Context(), key, lease("b", time.Minute))
		return err == nil && mine
	}, 5*time.Second, 5*time.Millisecond)
}

func foreignLease(t *testing.T, c Cache, key string) {
	lease := acquire(t, c, key, "a", time.Minute)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "b", 0, -1)))
	require.NoError(t, c.Release(t.Context(), key, lease))
	require.Equal(t, "b", get(t, c, key).Owner)
}

func abandonPending(t *testing.T, c Cache, key string) {
	require.NoError(t, c.Abandon(t.Context(), key))
	acquire(t, c, key, "a", time.Minute)
	require.NoError(t, c.Abandon(t.Context(), key))
	require.Equal(t, cache.Absent, get(t, c, key).State)

	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	require.NoError(t, c.Abandon(t.Context(), key))
	require.Equal(t, cache.Present, get(t, c, key).State)
}

func oneSwap(t *testing.T, c Cache, key string) {
	from := lease("a", time.Minute)
	from.Low = true
	to := from
	to.Low = false
	swapped, err := c.Swap(t.Context(), key, from, to)
	require.NoError(t, err)
	require.False(t, swapped, "there is no entry")

	_, mine, err := c.Acquire(t.Context(), key, from)
	require.NoError(t, err)
	require.True(t, mine)
	var swaps atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if swapped, err := c.Swap(t.Context(), key, from, to); assert.NoError(t, err) && swapped {
				swaps.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, swaps.Load())
	require.Equal(t, to, get(t, c, key))
}

// lease returns a pending entry that expires after d.
func lease(owner string, d time.Duration) cache.Entry {
	return cache.Entry{State: cache.Pending, Owner: owner, Deadline: time.Now().Add(d).Truncate(time.Millisecond), Total: -1}
}

func acquire(t *testing.T, c Cache, key, owner string, d time.Duration) cache.Entry {
	t.Helper()
	e, mine, err := c.Acquire(t.Context(), key, lease(owner, d))
	require.NoError(t, err)
	require.True(t, mine, "lease of %s", owner)
	return e
}
