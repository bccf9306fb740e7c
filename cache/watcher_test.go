package cache_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// watch runs a watcher until the test ends, and returns once it is up.
func watch(t *testing.T, c *cache.Redis, onChange func(up bool)) *cache.Watcher {
	t.Helper()
	w := cache.NewWatcher(onChange)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx, c) }()
	t.Cleanup(func() { cancel(); <-ended })
	require.Eventually(t, w.Up, 5*time.Second, time.Millisecond)
	return w
}

func TestWatcherDetectsHungRedis(t *testing.T) {
	f := newFreezer(t, raw(t).Options().Addr)
	c, err := cache.Open("redis://"+f.Addr().String(), cache.Options{Undecodable: func() {}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	w := watch(t, c, func(bool) {})
	changed, stop := w.Wait("key")
	defer stop()

	f.frozen.Store(true)
	receive(t, changed) // wakes waiters, so that they poll
	require.False(t, w.Up())
	f.frozen.Store(false)
	require.Eventually(t, w.Up, 5*time.Second, time.Millisecond)
}

func TestWatcherWakes(t *testing.T) {
	c, _ := open(t)
	var changes atomic.Int64
	w := watch(t, c, func(bool) { changes.Add(1) })
	ctx := t.Context()

	present := cachetest.Rules().Present(time.Now(), cache.Copy{})
	key := cachetest.Key(t.Name() + time.Now().String())
	changed, stop := w.Wait(key)
	defer stop()
	other, stopOther := w.Wait(key + "other")
	defer stopOther()

	// A pending entry must not wake waiters: it would only send them back to wait. The present
	// entry follows it in the order of the same connection, so only that entry may wake them.
	require.NoError(t, c.Put(ctx, key, 0, cachetest.Rules().Pending(time.Now(), "a", 0, -1)))
	require.NoError(t, c.Put(ctx, key, 0, present))
	receive(t, changed)
	require.Equal(t, cache.Present, func() cache.State { e, _ := c.Get(ctx, key); return e.State }())
	_, err := c.Purge(ctx, key)
	require.NoError(t, err)
	receive(t, changed)
	require.Empty(t, other, "woken for another object")

	// A digest tells some waiters that the copy is not theirs.
	known := cachetest.Rules().Pending(time.Now(), "a", 0, -1)
	known.SHA256 = strings.Repeat("0a", 32)
	require.NoError(t, c.Put(ctx, key, cache.AnyGeneration, known))
	receive(t, changed)

	// Its progress tells them nothing new. The purge follows in the order of the same connection.
	known.Done++
	require.NoError(t, c.Put(ctx, key, cache.AnyGeneration, known))
	_, err = c.Purge(ctx, key)
	require.NoError(t, err)
	receive(t, changed)
	require.Equal(t, cache.Absent, func() cache.State { e, _ := c.Get(ctx, key); return e.State }())

	// A cut connection wakes all waiters, because changes may have been missed. The watcher then
	// reconnects.
	require.NoError(t, raw(t).ClientKillByFilter(ctx, "TYPE", "pubsub").Err())
	receive(t, other)
	require.Eventually(t, w.Up, 5*time.Second, time.Millisecond)
	require.EqualValues(t, 3, changes.Load(), "up, down, up")
	stopOther()
	require.NoError(t, c.Put(ctx, key, cache.AnyGeneration, present))
	receive(t, changed)
}
