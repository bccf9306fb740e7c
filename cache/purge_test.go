package cache_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestPurgeCopy finds the first new generation during the deletion, and the second one after it.
func TestPurgeCopy(t *testing.T) {
	c, key := &cachetest.Memory{}, cachetest.Key(t.Name())
	during := int64(0)
	after, err := cache.PurgeCopy(t.Context(), c, key, func(ctx context.Context) (err error) {
		during, err = c.Generation(ctx, key)
		return err
	})
	require.NoError(t, err)
	require.Positive(t, during)
	require.Greater(t, after, during)
}

func TestPurgeCopyStopsAtTheFirstError(t *testing.T) {
	c, key := &cachetest.Memory{}, cachetest.Key(t.Name())
	down := errors.New("down")
	deletions := 0
	deleteCopy := func(context.Context) error {
		deletions++
		return down
	}
	first, err := cache.PurgeCopy(t.Context(), c, key, deleteCopy)
	require.ErrorIs(t, err, down)
	require.Equal(t, 1, deletions)
	kept, err := c.Generation(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, kept, first)

	second, err := cache.FinishPurge(t.Context(), c, key, first, func(context.Context) error { return nil })
	require.NoError(t, err)
	require.Greater(t, second, first)

	c.Fail(errors.New("no redis"))
	_, err = cache.PurgeCopy(t.Context(), c, key, deleteCopy)
	require.ErrorContains(t, err, "no redis")
	require.Equal(t, 1, deletions)
}
