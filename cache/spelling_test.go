package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestDropAndSwapOfAnotherSpelling has a value that another build wrote, with a field that this
// build does not know. Drop deletes it, and Swap replaces it, unless it has changed.
func TestDropAndSwapOfAnotherSpelling(t *testing.T) {
	for _, spelling := range []string{"{", `{"later":1,`, "{ "} {
		c, server, _ := openOwn(t, cache.Options{Rules: cachetest.Rules()})
		key, now := cachetest.Key(t.Name()), time.Now()
		plant := func(e cache.Entry) cache.Entry {
			value, err := cache.Encode(key, e)
			require.NoError(t, err)
			require.NoError(t, server.Set(t.Context(), key, strings.Replace(value, "{", spelling, 1), time.Hour).Err())
			read, err := c.Get(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, e.State, read.State)
			return read
		}
		present := plant(cachetest.Rules().Present(now, cache.Copy{Size: 5}))
		changed := plant(cachetest.Rules().Present(now, cache.Copy{Size: 6}))
		dropped, err := c.Drop(t.Context(), key, present)
		require.NoError(t, err)
		require.False(t, dropped, "the entry has changed")
		dropped, err = c.Drop(t.Context(), key, changed)
		require.NoError(t, err)
		require.True(t, dropped, spelling)
		require.Zero(t, server.Exists(t.Context(), key).Val())

		low := cachetest.Rules().Pending(now, "me", 0, -1)
		low.Low = true
		low = plant(low)
		raised := low
		raised.Low = false
		swapped, err := c.Swap(t.Context(), key, raised, low)
		require.NoError(t, err)
		require.False(t, swapped, "the entry is another")
		swapped, err = c.Swap(t.Context(), key, low, raised)
		require.NoError(t, err)
		require.True(t, swapped, spelling)
		require.Positive(t, server.PTTL(t.Context(), key).Val())
	}
}
