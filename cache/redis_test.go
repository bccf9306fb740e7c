package cache_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

func TestContract(t *testing.T) {
	t.Run("memory", func(t *testing.T) { cachetest.Run(t, &cachetest.Memory{}) })
	t.Run("redis", func(t *testing.T) {
		c, _ := open(t)
		cachetest.Run(t, c)
	})
}

func TestWakes(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		m := &cachetest.Memory{}
		cachetest.RunWakes(t, m, m)
	})
	t.Run("redis", func(t *testing.T) {
		c, _ := open(t)
		cachetest.RunWakes(t, c, watch(t, c, func(bool) {}))
	})
}

func TestUndecodableEntriesAreAbsentRemovedAndCounted(t *testing.T) {
	c, undecodable := open(t)
	r := raw(t)
	for name, value := range map[string]string{
		"foreign":       "hello",
		"no JSON":       "present {",
		"unknown state": `gone {"d":99999999999999}`,
		"no deadline":   "pending {}",
		"binary":        "\x00\xff",
		"only a state":  "present",
	} {
		t.Run(name, func(t *testing.T) {
			key := cachetest.Key(t.Name() + time.Now().String())
			require.NoError(t, r.Set(t.Context(), key, value, time.Minute).Err())
			before := undecodable.Load()
			e, err := c.Get(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, cache.Absent, e.State)
			require.Equal(t, before+1, undecodable.Load())
			require.Zero(t, r.Exists(t.Context(), key).Val())

			// It must not block the lease either.
			require.NoError(t, r.Set(t.Context(), key, value, time.Minute).Err())
			_, mine, err := c.Acquire(t.Context(), key, cachetest.Rules().Pending(time.Now(), "me", 0, -1))
			require.NoError(t, err)
			require.True(t, mine)
		})
	}
}

func TestKeysInRedisExpire(t *testing.T) {
	c, _ := open(t)
	key := cachetest.Key(t.Name() + time.Now().String())
	require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	ttl := raw(t).PTTL(t.Context(), key).Val()
	require.Greater(t, ttl, 59*time.Minute)
	require.LessOrEqual(t, ttl, time.Hour)
}

func TestDeadlineHoldsWithoutRedisExpiry(t *testing.T) {
	c, _ := open(t)
	// Redis may keep a key beyond its deadline, or for ever. Here it does.
	key := cachetest.Key(t.Name() + time.Now().String())
	for left, want := range map[time.Duration]cache.State{-time.Millisecond: cache.Absent, time.Hour: cache.Present} {
		value, err := cache.Encode(key, cache.Entry{State: cache.Present, Deadline: time.Now().Add(left)})
		require.NoError(t, err)
		require.NoError(t, raw(t).Set(t.Context(), key, value, 0).Err())
		e, err := c.Get(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, want, e.State, value)
	}
}

func TestPurgeGenerationOutlivesCopies(t *testing.T) {
	c, _ := open(t)
	key := cachetest.Key(t.Name() + time.Now().String())
	_, err := c.Purge(t.Context(), key)
	require.NoError(t, err)
	require.Greater(t, raw(t).PTTL(t.Context(), key+":generation").Val(), 6*24*time.Hour)
}

func TestBadURLIsKeptOutOfTheError(t *testing.T) {
	for _, url := range []string{"redis://:hunter2/x@localhost:6379/0", "redis://:hunter2%zz@localhost/", "hunter2://x"} {
		_, err := cache.Open(url, cache.Options{Undecodable: func() {}})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestUnavailableRedisFailsFast(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0") // never answers
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, hung.Close()) })
	for name, address := range map[string]string{"dead": "127.0.0.1:1", "hung": hung.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			c, err := cache.Open("redis://"+address, cache.Options{Timeout: 50 * time.Millisecond, Undecodable: func() {}})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, c.Close()) })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = c.Get(ctx, "key")
			require.Error(t, err)
			require.NoError(t, ctx.Err(), "waited for redis, or retried")
		})
	}
}
