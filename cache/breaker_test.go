package cache_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func TestBreakerOpens(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0") // never answers
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, hung.Close()) })
	open := make(chan bool, 10)
	c, err := cache.Open("redis://"+hung.Addr().String(), cache.Options{
		Timeout: 50 * time.Millisecond, OnBreaker: func(isOpen bool) { open <- isOpen }, Undecodable: func() {},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	// There are more callers than connections. Those that wait for one fail when the breaker opens.
	start := time.Now()
	var all sync.WaitGroup
	for range 500 {
		all.Go(func() {
			_, err := c.Get(context.Background(), "key")
			require.Error(t, err)
		})
	}
	all.Wait()
	require.Less(t, time.Since(start), time.Second, "each caller paid the timeout")
	require.True(t, <-open)
	start = time.Now()
	for range 1000 {
		_, err := c.Get(t.Context(), "key")
		require.Error(t, err)
	}
	require.Less(t, time.Since(start), 10*time.Second, "each caller paid the timeout")
}

func TestBreakerClosesWhenRedisAnswers(t *testing.T) {
	f := newFreezer(t, raw(t).Options().Addr)
	open := make(chan bool, 100)
	c, err := cache.Open("redis://"+f.Addr().String(), cache.Options{
		Timeout: 500 * time.Millisecond, OnBreaker: func(isOpen bool) { open <- isOpen }, Undecodable: func() {},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	get := func() error { _, err := c.Get(context.Background(), "key"); return err }
	require.NoError(t, get())
	f.frozen.Store(true)
	require.Eventually(t, func() bool { return get() != nil && len(open) == 1 }, 5*time.Second, time.Millisecond)
	require.True(t, <-open)
	f.frozen.Store(false)
	require.Eventually(t, func() bool { return get() == nil }, 5*time.Second, time.Millisecond)
	require.False(t, <-open)
}
