package cache_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// TestCommandsAreTimed lists the commands of a cache, and its connections. A value of another type is
// a reply that callers expect, and a server that is missing is a failure.
func TestCommandsAreTimed(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	observe := func(name string, took time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		require.Positive(t, took)
		if err != nil {
			name += " failed"
		}
		seen = append(seen, name)
	}
	c, server, _ := openOwn(t, cache.Options{OnCommand: observe})
	key := cache.NewSpace("", "s3_us-west-2", "", "bucket").Key(strings.Repeat("a", 64))
	require.NoError(t, server.LPush(t.Context(), key, "x").Err())
	_, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	require.NoError(t, c.PutBacklog(t.Context(), "s3_us-west-2", cache.Backlog{}, time.Minute))
	require.Subset(t, cache.Commands(), seen)
	require.Contains(t, seen, "getrange")
	require.Contains(t, seen, "evalsha")
	require.Contains(t, seen, "set")
	p := c.Pool()
	require.Positive(t, p.Open)
	require.Equal(t, p.Open, p.Idle)
	require.Positive(t, p.Hits+p.Misses)

	missing, err := cache.Open("redis://127.0.0.1:1", cache.Options{Undecodable: func() {}, OnCommand: observe})
	require.NoError(t, err)
	defer func() { _ = missing.Close() }()
	seen = nil
	_, err = missing.Get(t.Context(), key)
	require.Error(t, err)
	require.Equal(t, []string{"getrange failed"}, seen)

	seen = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = missing.Get(ctx, key)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []string{"getrange failed"}, seen, "observers tell a cancelled call by its error")
}
