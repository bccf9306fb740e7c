package cache_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func TestBacklogs(t *testing.T) {
	c, _ := open(t)
	name := func(s string) string { return t.Name() + s + time.Now().String() }
	first, second, never, foreign, short := name("first"), name("second"), name("never"), name("foreign"), name("short")
	b := cache.Backlog{Tasks: 12_345, Age: 90 * time.Second, Rate: 40.5}
	require.NoError(t, c.PutBacklog(t.Context(), first, cache.Backlog{Tasks: 1}, time.Minute))
	require.NoError(t, c.PutBacklog(t.Context(), first, b, time.Minute), "the last writer wins")
	require.NoError(t, c.PutBacklog(t.Context(), second, cache.Backlog{}, time.Minute))
	require.NoError(t, c.PutBacklog(t.Context(), short, b, time.Millisecond))
	require.NoError(t, raw(t).Set(t.Context(), "cm:2:backlog:{pools}:"+foreign, "\xff{", time.Minute).Err())
	require.Eventually(t, func() bool {
		all, err := c.Backlogs(t.Context(), []string{never, first, short, foreign, second})
		require.NoError(t, err)
		require.Equal(t, b, all[first])
		require.Contains(t, all, second)
		require.NotContains(t, all, never)
		require.NotContains(t, all, foreign)
		return len(all) == 2
	}, 5*time.Second, time.Millisecond, "a backlog that has expired is unknown")
}

func TestBacklogsOfADeadRedis(t *testing.T) {
	c, err := cache.Open("redis://127.0.0.1:1", cache.Options{Timeout: 50 * time.Millisecond})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Backlogs(t.Context(), []string{"s3_us-west-2"})
	require.ErrorContains(t, err, "get backlogs")
	require.ErrorContains(t, c.PutBacklog(t.Context(), "s3_us-west-2", cache.Backlog{}, time.Minute), "put backlog")
}
