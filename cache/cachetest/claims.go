package cachetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func oneClaim(t *testing.T, c Cache, key string) {
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			left, err := c.Claim(t.Context(), key, time.Minute)
			switch {
			case assert.NoError(t, err) && left == 0:
				taken.Add(1)
			default:
				assert.Positive(t, left)
				assert.LessOrEqual(t, left, time.Minute)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, taken.Load())
	left, err := c.Claim(t.Context(), key+"2", time.Minute)
	require.NoError(t, err)
	require.Zero(t, left, "a claim on one object is a claim on another")
}

func expiredClaim(t *testing.T, c Cache, key string) {
	start := time.Now()
	left, err := c.Claim(t.Context(), key, 50*time.Millisecond)
	require.NoError(t, err)
	require.Zero(t, left)
	require.Eventually(t, func() bool {
		left, err := c.Claim(t.Context(), key, time.Minute)
		require.LessOrEqual(t, left, 50*time.Millisecond)
		return err == nil && left == 0
	}, 5*time.Second, 5*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
}

func claimAside(t *testing.T, c Cache, key string) {
	left, err := c.Claim(t.Context(), key, time.Minute)
	require.NoError(t, err)
	require.Zero(t, left)
	require.Equal(t, cache.Absent, get(t, c, key).State)
	acquire(t, c, key, "a", time.Minute)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	left, err = c.Claim(t.Context(), key, time.Minute)
	require.NoError(t, err)
	require.Positive(t, left, "the entry released the claim")
	require.Equal(t, cache.Present, get(t, c, key).State)
}
