package cache_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// sent returns how many bytes redis has sent.
func sent(t *testing.T, server *redis.Client) int64 {
	t.Helper()
	info := server.Info(t.Context(), "stats").Val()
	field := regexp.MustCompile(`total_net_output_bytes:(\d+)`).FindStringSubmatch(info)
	require.Len(t, field, 2)
	n, err := strconv.ParseInt(field[1], 10, 64)
	require.NoError(t, err)
	return n
}

// TestALargeValueDelaysNoOtherEntry reads many entries at once, some of which are 100 MB. Redis
// sends a few KB of each, so no other entry waits for them. The breaker stays closed; the control
// is TestBreakerOpens, with a redis that hangs.
func TestALargeValueDelaysNoOtherEntry(t *testing.T) {
	url, server := ownRedis(t)
	open, undecodable := make(chan bool, 100), make(chan struct{}, 100)
	c, err := cache.Open(url, cache.Options{
		Timeout: 5 * time.Second, OnBreaker: func(isOpen bool) { open <- isOpen }, Undecodable: func() { undecodable <- struct{}{} },
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	near := cache.NewNearCache(c, cache.NearCacheOptions{Entries: 100, Bytes: 1 << 20})
	const large, small = 5, 200
	for i := range large {
		require.NoError(t, server.SetRange(t.Context(), cachetest.Key(fmt.Sprint("large", i)), 100<<20-1, "x").Err())
	}
	present := cachetest.Rules().Present(time.Now(), cache.Copy{})
	for i := range small {
		require.NoError(t, c.Put(t.Context(), cachetest.Key(fmt.Sprint("small", i)), 0, present))
	}
	before := sent(t, server)
	var all sync.WaitGroup
	read := func(hash string, want cache.State) {
		all.Go(func() {
			e, err := near.Get(t.Context(), cachetest.Key(hash))
			if err != nil || e.State != want {
				t.Errorf("%s: %v, %v", hash, e.State, err)
			}
		})
	}
	for i := range large {
		read(fmt.Sprint("large", i), cache.Absent)
	}
	for i := range small {
		read(fmt.Sprint("small", i), cache.Present)
	}
	all.Wait()
	require.Less(t, sent(t, server)-before, int64(1<<20), "bytes that redis sent for %d entries", large+small)
	require.Empty(t, open, "the breaker opened")
	require.Len(t, undecodable, large)
	for i := range large {
		require.Zero(t, server.Exists(t.Context(), cachetest.Key(fmt.Sprint("large", i))).Val())
	}
	require.Positive(t, server.Exists(t.Context(), cachetest.Key("small0")).Val(), "control: the others are kept")
}

// TestReadsCrossClusterSlots reads entries of different slots in one batch. The control is an MGET,
// which redis refuses.
func TestReadsCrossClusterSlots(t *testing.T) {
	program, err := exec.LookPath("redis-server")
	require.NoError(t, err, "this test needs a real redis-server: run `make test`")
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	node := exec.Command(program, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--cluster-enabled", "yes")
	server := startRedis(t, node, socket)
	require.NoError(t, server.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	require.Eventually(t, func() bool { return server.Set(t.Context(), "up", "", 0).Err() == nil }, 20*time.Second, 5*time.Millisecond)

	c, err := cache.Open("unix://"+socket, cache.Options{Undecodable: func() { t.Error("undecodable") }})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	near := cache.NewNearCache(c, cache.NearCacheOptions{})
	var keys []string
	for i := range 50 {
		keys = append(keys, cachetest.Key(fmt.Sprint(i)))
		require.NoError(t, c.Put(t.Context(), keys[i], 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	}
	require.ErrorContains(t, server.MGet(t.Context(), keys...).Err(), "CROSSSLOT", "control")
	var all sync.WaitGroup
	for _, key := range keys {
		all.Go(func() {
			if e, err := near.Get(t.Context(), key); err != nil || e.State != cache.Present {
				t.Errorf("%s: %v, %v", key, e.State, err)
			}
		})
	}
	all.Wait()
	_, err = c.Purge(t.Context(), keys[0])
	require.NoError(t, err)
	hash := strings.Repeat("0f", 32)
	key, old := cachetest.Key(hash), newFormer(t, server, hash)
	require.False(t, old.put(0))
	require.NotEqual(t, server.ClusterKeySlot(t.Context(), key).Val(), server.ClusterKeySlot(t.Context(), old.key).Val())
	_, err = c.Purge(t.Context(), key)
	require.NoError(t, err)
	require.False(t, old.has(), "a purge deletes the entry of a former build in another slot")
	_, err = c.Failures(t.Context(), keys[0], "SourceTruncated", "run", time.Minute)
	require.NoError(t, err)
	require.NoError(t, c.PutBacklog(t.Context(), "a", cache.Backlog{}, time.Minute))
	require.NoError(t, c.PutBacklog(t.Context(), "b", cache.Backlog{}, time.Minute))
	backlogs, err := c.Backlogs(t.Context(), []string{"a", "b"})
	require.NoError(t, err)
	require.Len(t, backlogs, 2)
}
