package cachetest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func purge(t *testing.T, c Cache, key string) {
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	_, err := c.Purge(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Absent, get(t, c, key).State)
}

func staleGeneration(t *testing.T, c Cache, key string) {
	before, err := c.Generation(t.Context(), key)
	require.NoError(t, err)
	after, err := c.Purge(t.Context(), key)
	require.NoError(t, err)

	present := Rules().Present(time.Now(), cache.Copy{})
	require.ErrorIs(t, c.Put(t.Context(), key, before, present), cache.ErrPurged)
	require.ErrorIs(t, c.Put(t.Context(), key, after-1, Rules().Pending(time.Now(), "a", 0, -1)), cache.ErrPurged)
	require.Equal(t, cache.Absent, get(t, c, key).State)
	require.NoError(t, c.Put(t.Context(), key, after, present))
	require.Equal(t, cache.Present, get(t, c, key).State)
	require.NoError(t, c.Put(t.Context(), key, cache.AnyGeneration, present))
}

func generationsGrow(t *testing.T, c Cache, key string) {
	last := int64(0)
	for range 5 {
		g, err := c.Purge(t.Context(), key)
		require.NoError(t, err)
		require.Greater(t, g, last)
		now, err := c.Generation(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, g, now)
		last = g
	}
}

func failures(t *testing.T, c Cache, key string) {
	run := 0
	count := func(class string, all, same int64) {
		t.Helper()
		run++
		for range 2 { // UpdateCache may run again
			row, err := c.Failures(t.Context(), key, class, strconv.Itoa(run), time.Minute)
			require.NoError(t, err)
			require.Equal(t, cache.Row{All: all, Same: same}, row)
		}
	}
	count("x", 1, 1)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Transient(time.Now(), 1, cache.Reason{Class: "x"})))
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "a", 0, -1)))
	count("x", 2, 2)
	count("y", 3, 1)
	count("x", 4, 1)
	count("x", 5, 2)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	count("x", 1, 1)
	_, err := c.Purge(t.Context(), key)
	require.NoError(t, err)
	count("x", 1, 1)
}
