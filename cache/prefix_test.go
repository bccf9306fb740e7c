package cache_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestNearCacheOfAnotherPrefix purges an entry that a near cache remembers. Redis sends
// invalidations only for the tracked prefix.
func TestNearCacheOfAnotherPrefix(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{Prefix: "mine"})
	up := make(chan struct{}, 100)
	n := cache.NewNearCache(c, cache.NearCacheOptions{Entries: 100, Bytes: 1 << 20, OnChange: func(isUp bool, _ error) {
		if isUp {
			up <- struct{}{}
		}
	}})
	ended := make(chan struct{})
	go func() { defer close(ended); n.Run(t.Context()) }()
	t.Cleanup(func() { <-ended }) // The context ends before clean-ups.
	receive(t, up)
	key := cache.NewSpace("mine", "s3_test", "", "bucket").Key("a")
	require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	remember(t, n, key)
	require.NoError(t, server.Del(t.Context(), key).Err())
	require.Eventually(t, func() bool {
		e, err := n.Get(t.Context(), key)
		return err == nil && e.State == cache.Absent
	}, 5*time.Second, time.Millisecond, "the near cache keeps an entry that is gone")
}
