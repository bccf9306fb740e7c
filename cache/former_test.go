package cache_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// A former is a build before 2026-11-26 on the same redis: its keys, its values and its scripts.
type former struct {
	*redis.Client
	t   *testing.T
	key string
}

func newFormer(t *testing.T, r *redis.Client, hash string) former {
	t.Helper()
	sum, err := hex.DecodeString(hash)
	require.NoError(t, err)
	return former{r, t, "cm:{s3_test/" + base64.RawURLEncoding.EncodeToString(sum) + "}"}
}

// put stores an entry as a copy of that generation does, and reports whether it was purged since.
func (f former) put(generation int64) (purged bool) {
	f.t.Helper()
	n, err := f.Eval(f.t.Context(), `
local generation = tonumber(redis.call('GET', KEYS[2]) or '0')
if generation > tonumber(ARGV[1]) then return -1 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', 3600000)
return 1`, []string{f.key, f.key + ":generation"}, generation,
		fmt.Sprintf(`present {"d":%d}`, time.Now().Add(time.Hour).UnixMilli())).Int()
	require.NoError(f.t, err)
	return n < 0
}

func (f former) has() bool { return f.Exists(f.t.Context(), f.key).Val() == 1 }

// purge purges as the former build does.
func (f former) purge() {
	f.t.Helper()
	require.NoError(f.t, f.Set(f.t.Context(), f.key+":generation", time.Now().UnixMilli(), 7*day).Err())
	require.NoError(f.t, f.Del(f.t.Context(), f.key, f.key+":failures").Err())
	require.NoError(f.t, f.Publish(f.t.Context(), "cm:changed", f.key).Err())
}

// TestTwoBuildsOnOneRedis runs a former build and this build side by side. Each has entries of its
// own. A purge through this build reaches both; a purge through the former build only its own.
func TestTwoBuildsOnOneRedis(t *testing.T) {
	c, server, undecodable := openOwn(t, cache.Options{Rules: cachetest.Rules()})
	hash := strings.Repeat("0f", 32)
	key, old := cachetest.Key(hash), newFormer(t, server, hash)
	present := cachetest.Rules().Present(time.Now(), cache.Copy{})
	state := func() cache.State {
		e, err := c.Get(t.Context(), key)
		require.NoError(t, err)
		return e.State
	}
	require.False(t, old.put(0))
	require.Equal(t, cache.Absent, state(), "this build reads no former entry")
	_, mine, err := c.Acquire(t.Context(), key, cachetest.Rules().Pending(time.Now(), "me", 0, -1))
	require.NoError(t, err)
	require.True(t, mine)
	require.True(t, old.has(), "this build leaves the former entry alone")
	require.NoError(t, c.Put(t.Context(), key, 0, present))
	require.True(t, strings.HasPrefix(server.Get(t.Context(), old.key).Val(), `present {"d":`))

	sub := server.Subscribe(t.Context(), "cm:changed")
	t.Cleanup(func() { _ = sub.Close() })
	_, err = sub.Receive(t.Context())
	require.NoError(t, err)
	_, err = c.Purge(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Absent, state())
	require.False(t, old.has(), "a purge through this build deletes the former entry")
	require.True(t, old.put(0), "and a former copy that runs can't be published")
	m, err := sub.ReceiveMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, old.key, m.Payload, "and former front ends are woken")

	now := time.Now().UnixMilli() + 1
	require.NoError(t, c.Put(t.Context(), key, now, present))
	require.False(t, old.put(now))
	old.purge()
	require.False(t, old.has())
	require.Equal(t, cache.Present, state(), "a purge through the former build reaches only its own entry")
	require.Zero(t, undecodable.Load())
}

// TestRollBackAndForward purges through this build, rolls back, and rolls forward again.
func TestRollBackAndForward(t *testing.T) {
	c, server, undecodable := openOwn(t, cache.Options{Rules: cachetest.Rules()})
	hash := strings.Repeat("0f", 32)
	key, old := cachetest.Key(hash), newFormer(t, server, hash)
	present := cachetest.Rules().Present(time.Now(), cache.Copy{})
	require.False(t, old.put(0))
	require.NoError(t, c.Put(t.Context(), key, 0, present))
	purged, err := c.Purge(t.Context(), key)
	require.NoError(t, err)

	// The former build runs again: the purge counts.
	require.False(t, old.has())
	require.True(t, old.put(0), "a copy from before the purge")
	require.False(t, old.put(time.Now().UnixMilli()+1), "control: a copy from after the purge")

	// This build runs again: its purge counts, and it starts with its own entries.
	require.ErrorIs(t, c.Put(t.Context(), key, 0, present), cache.ErrPurged)
	e, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Absent, e.State)
	require.NoError(t, c.Put(t.Context(), key, purged, present))
	require.Zero(t, undecodable.Load())
}

// TestAnotherPrefixLeavesFormerKeysAlone checks that a purge sends no command about keys that its
// user may not touch.
func TestAnotherPrefixLeavesFormerKeysAlone(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{Prefix: "mine"})
	hash := strings.Repeat("0f", 32)
	old := newFormer(t, server, hash)
	require.False(t, old.put(0))
	require.NoError(t, server.Do(t.Context(), "ACL", "SETUSER", "default", "resetkeys", "~mine:*", "resetchannels", "&mine:*").Err())
	key := cache.NewSpace("mine", "s3_test", "", "bucket").Key(hash)
	require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	_, err := c.Purge(t.Context(), key)
	require.NoError(t, err)
	require.Error(t, server.Exists(t.Context(), old.key).Err(), "control: the key is forbidden")
	require.NoError(t, server.Do(t.Context(), "ACL", "SETUSER", "default", "allkeys", "allchannels").Err())
	require.True(t, old.has())
}
