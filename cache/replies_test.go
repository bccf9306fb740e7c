package cache_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// ownRedis starts a redis-server that the test may break, and returns its URL and a client.
func ownRedis(t *testing.T) (url string, client *redis.Client) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	require.NoError(t, err, "this test needs a real redis-server: run `make test`")
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	args := []string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no"}
	return "unix://" + socket, startRedis(t, exec.Command(program, args...), socket)
}

// startRedis starts a server until the end of the test, and returns a client when it answers.
func startRedis(t *testing.T, server *exec.Cmd, socket string) *redis.Client {
	t.Helper()
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	t.Cleanup(func() { _ = client.Close() })
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, 20*time.Second, 5*time.Millisecond)
	return client
}

// A refusal is a state in which a real redis refuses writes, or all commands, by an error reply.
type refusal struct {
	refuse, allow func(t *testing.T, r *redis.Client)
	reads         bool // redis still answers reads
}

// refusals returns all refusals, by the error reply.
func refusals() map[string]refusal {
	config := func(pairs ...string) func(*testing.T, *redis.Client) {
		return func(t *testing.T, r *redis.Client) {
			t.Helper()
			for i := 0; i < len(pairs); i += 2 {
				require.NoError(t, r.ConfigSet(t.Context(), pairs[i], pairs[i+1]).Err())
			}
		}
	}
	command := func(args ...any) func(*testing.T, *redis.Client) {
		return func(t *testing.T, r *redis.Client) {
			t.Helper()
			require.NoError(t, r.Do(t.Context(), args...).Err())
		}
	}
	return map[string]refusal{
		"OOM":      {config("maxmemory-policy", "noeviction", "maxmemory", "1"), config("maxmemory", "0"), true},
		"READONLY": {command("REPLICAOF", "127.0.0.1", "1"), command("REPLICAOF", "NO", "ONE"), true},
		"MASTERDOWN": {func(t *testing.T, r *redis.Client) {
			t.Helper()
			config("replica-serve-stale-data", "no")(t, r)
			command("REPLICAOF", "127.0.0.1", "1")(t, r)
		}, command("REPLICAOF", "NO", "ONE"), false},
		"NOREPLICAS": {config("min-replicas-to-write", "1"), config("min-replicas-to-write", "0"), true},
		"NOPERM": {
			command("ACL", "SETUSER", "default", "-@write", "-@scripting"),
			command("ACL", "SETUSER", "default", "+@write", "+@scripting"), true,
		},
	}
}

// TestErrorRepliesLeaveTheBreakerClosed has redis refuse writes. Reads of entries must still
// succeed.
func TestErrorRepliesLeaveTheBreakerClosed(t *testing.T) {
	for name, tc := range refusals() {
		t.Run(name, func(t *testing.T) {
			url, server := ownRedis(t)
			open := make(chan bool, 1000)
			c, err := cache.Open(url, cache.Options{
				Timeout: 5 * time.Second, OnBreaker: func(isOpen bool) { open <- isOpen }, Undecodable: func() {},
			})
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			entry := cachetest.Rules().Present(time.Now(), cache.Copy{})
			require.NoError(t, c.Put(t.Context(), "present", 0, entry))

			tc.refuse(t, server)
			failed, refused := 0, []error{}
			for range 100 {
				_, _, err := c.Acquire(t.Context(), "absent", cachetest.Rules().Pending(time.Now(), "me", 0, -1))
				refused = append(refused, err, c.Put(t.Context(), "absent", 0, entry))
				if got, err := c.Get(t.Context(), "present"); err != nil || got.State != cache.Present {
					failed++
				}
			}
			if tc.reads {
				require.Zero(t, failed, "of 100 reads of a present entry")
			}
			for _, err := range refused {
				require.ErrorContains(t, err, name, "control: redis refuses writes")
				require.True(t, cache.Replied(err))
			}
			require.Empty(t, open, "the breaker opened")

			tc.allow(t, server)
			_, mine, err := c.Acquire(t.Context(), "absent", cachetest.Rules().Pending(time.Now(), "me", 0, -1))
			require.NoError(t, err)
			require.True(t, mine)
		})
	}
}

// TestAFullRedisKeepsTheNearCache checks that entries are still served from memory and read from
// redis while redis refuses writes.
func TestAFullRedisKeepsTheNearCache(t *testing.T) {
	url, server := ownRedis(t)
	c, err := cache.Open(url, cache.Options{Timeout: 5 * time.Second, Undecodable: func() {}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	entry := cachetest.Rules().Present(time.Now(), cache.Copy{})
	keys := []string{cachetest.Key("remembered"), cachetest.Key("unread")}
	for _, key := range keys {
		require.NoError(t, c.Put(t.Context(), key, 0, entry))
	}
	near := cache.NewNearCache(c, cache.NearCacheOptions{Entries: 100, Bytes: 1 << 20, OnChange: func(bool, error) {}})
	go near.Run(t.Context())
	remembered := func(key string) bool { _, ok := near.Remembered(key, time.Now()); return ok }
	require.Eventually(t, func() bool {
		_, err := near.Get(t.Context(), keys[0])
		return err == nil && remembered(keys[0])
	}, 20*time.Second, time.Millisecond)

	require.NoError(t, server.ConfigSet(t.Context(), "maxmemory", "1").Err())
	require.ErrorContains(t, c.Put(t.Context(), "another", 0, entry), "OOM", "control: redis is full")
	for range 100 {
		got, err := near.Get(t.Context(), keys[1])
		require.NoError(t, err)
		require.Equal(t, cache.Present, got.State)
	}
	// A new connection for invalidations must work as well.
	require.NoError(t, server.ClientKillByFilter(t.Context(), "SKIPME", "yes").Err())
	require.Eventually(t, func() bool { _, err := near.Get(t.Context(), keys[0]); return err == nil && remembered(keys[0]) },
		20*time.Second, time.Millisecond)
}

// TestAnUnusableEntryIsAbsentWithoutWrites checks that a read of an unusable entry succeeds
// although redis refuses to remove it.
func TestAnUnusableEntryIsAbsentWithoutWrites(t *testing.T) {
	url, server := ownRedis(t)
	c, err := cache.Open(url, cache.Options{Undecodable: func() {}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, server.Set(t.Context(), "key", "hello", 0).Err())
	require.NoError(t, server.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
	got, err := c.Get(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, cache.Absent, got.State)
	require.EqualValues(t, 1, server.Exists(t.Context(), "key").Val(), "control: the value is still there")
}

// TestTheBreakerReportsEachChangeOnce has trial calls of an open breaker fail.
func TestTheBreakerReportsEachChangeOnce(t *testing.T) {
	f := newFreezer(t, raw(t).Options().Addr)
	open := make(chan bool, 1000)
	c, err := cache.Open("redis://"+f.Addr().String(), cache.Options{
		Timeout: 20 * time.Millisecond, OnBreaker: func(isOpen bool) { open <- isOpen }, Undecodable: func() {},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	f.frozen.Store(true)
	trials, refused := 0, false
	require.Eventually(t, func() bool {
		_, err := c.Get(t.Context(), "key")
		require.Error(t, err)
		nowRefused := strings.Contains(err.Error(), "breaker is open")
		if refused && !nowRefused {
			trials++
		}
		refused = nowRefused
		return trials >= 3
	}, 20*time.Second, time.Millisecond, "control: trial calls were made")
	require.True(t, <-open)
	require.Empty(t, open, "failed trial calls are no change")
}
