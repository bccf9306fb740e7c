package cache

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// TestACommandIsSentOnce has a master of a cluster hang. The client would try each command four
// times, which the control does.
func TestACommandIsSentOnce(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = hung.Close() })
	var tries atomic.Int64
	go func() {
		for {
			conn, err := hung.Accept()
			if err != nil {
				return
			}
			tries.Add(1)
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	options := func() *redis.ClusterOptions {
		return &redis.ClusterOptions{ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{{Start: 0, End: 16383, Nodes: []redis.ClusterNode{{Addr: hung.Addr().String()}}}}, nil
		}}
	}
	n := newNodes(target{cluster: options()}, 50*time.Millisecond, nil, nil)
	t.Cleanup(func() { _ = n.close() })
	require.Error(t, n.cluster.Set(t.Context(), "key", "", 0).Err())
	require.EqualValues(t, 1, tries.Load(), "a redirected command")
	_, err = on(t.Context(), n, "key", func(ctx context.Context, c redis.Cmdable) (string, error) { return c.Set(ctx, "key", "", 0).Result() })
	require.Error(t, err)
	require.EqualValues(t, 2, tries.Load(), "a command")

	o := options()
	o.MaxRedirects, o.DialerRetries, o.ReadTimeout = maxRedirects, 1, 50*time.Millisecond
	control := redis.NewClusterClient(o)
	t.Cleanup(func() { _ = control.Close() })
	require.Error(t, control.Set(t.Context(), "key", "", 0).Err())
	require.Greater(t, tries.Load(), int64(3), "control")
}
