package cache_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// openAt opens the cache of a redis.url, as a front end does.
func openAt(t *testing.T, url string, edit ...func(*cache.Options)) *cache.Redis {
	t.Helper()
	o := cache.Options{Timeout: time.Second, Rules: cachetest.Rules(), Undecodable: func() { t.Error("undecodable") }}
	for _, f := range edit {
		f(&o)
	}
	c, err := cache.Open(url, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// TestKinds checks the contract, wake-ups and invalidations with sentinels, and with a cluster.
func TestKinds(t *testing.T) {
	for name, url := range map[string]func() string{
		"sentinels": func() string { return cachetest.StartSentinels(t).URL },
		"cluster":   func() string { return cachetest.StartCluster(t, 3, false).URL },
	} {
		t.Run(name, func(t *testing.T) {
			c := openAt(t, url())
			t.Run("contract", func(t *testing.T) { cachetest.Run(t, c) })
			t.Run("wakes", func(t *testing.T) { cachetest.RunWakes(t, c, watch(t, c, func(bool) {})) })
			t.Run("near cache", func(t *testing.T) {
				n, _ := nearOf(t, c)
				cachetest.Run(t, delayed{n})
				for i := range 20 { // In all masters.
					key := hold(t, n, c, fmt.Sprint(t.Name(), i))
					_, err := c.Purge(t.Context(), key)
					require.NoError(t, err)
					requireChange(t, n, key)
				}
			})
		})
	}
}

// nearOf returns a near cache of c that is up, and the number of times that it went down.
func nearOf(t *testing.T, c *cache.Redis) (n *cache.NearCache, down *atomic.Int64) {
	t.Helper()
	down = new(atomic.Int64)
	up := make(chan struct{}, 100)
	n = cache.NewNearCache(c, cache.NearCacheOptions{Entries: 100, Bytes: 1 << 20, OnChange: func(isUp bool, _ error) {
		if isUp {
			up <- struct{}{}
		} else {
			down.Add(1)
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	receive(t, up)
	return n, down
}

// requireChange checks that the near cache serves an entry for less than maxStale after a change.
func requireChange(t *testing.T, n *cache.NearCache, key string) {
	t.Helper()
	for changed := time.Now(); held(n, key); {
		require.Less(t, time.Since(changed), maxStale, "the old entry is still served")
	}
}

// TestEveryMethodInACluster calls every exported method of cache.Redis for objects in all three
// masters.
func TestEveryMethodInACluster(t *testing.T) {
	cluster := cachetest.StartCluster(t, 3, false)
	c := openAt(t, cluster.URL)
	keys := map[*cachetest.Server]string{}
	for i := 0; len(keys) < len(cluster.Masters); i++ {
		key := cachetest.Key(fmt.Sprint(t.Name(), i))
		keys[cluster.Of(key)] = key
	}
	lease := cachetest.Rules().Pending(time.Now(), "me", 0, -1)
	other := lease
	other.Owner = "other"
	present := cachetest.Rules().Present(time.Now(), cache.Copy{})
	calls := map[string]func(ctx context.Context, key string) error{
		"Acquire":    func(ctx context.Context, key string) error { _, _, err := c.Acquire(ctx, key, lease); return err },
		"Swap":       func(ctx context.Context, key string) error { _, err := c.Swap(ctx, key, lease, other); return err },
		"Release":    func(ctx context.Context, key string) error { return c.Release(ctx, key, other) },
		"Put":        func(ctx context.Context, key string) error { return c.Put(ctx, key, cache.AnyGeneration, present) },
		"Get":        func(ctx context.Context, key string) error { _, err := c.Get(ctx, key); return err },
		"Drop":       func(ctx context.Context, key string) error { _, err := c.Drop(ctx, key, present); return err },
		"Abandon":    func(ctx context.Context, key string) error { return c.Abandon(ctx, key) },
		"Claim":      func(ctx context.Context, key string) error { _, err := c.Claim(ctx, key, time.Minute); return err },
		"Generation": func(ctx context.Context, key string) error { _, err := c.Generation(ctx, key); return err },
		"Purge":      func(ctx context.Context, key string) error { _, err := c.Purge(ctx, key); return err },
		"Failures": func(ctx context.Context, key string) error {
			_, err := c.Failures(ctx, key, "class", "run", time.Minute)
			return err
		},
		"PutBacklog": func(ctx context.Context, key string) error {
			return c.PutBacklog(ctx, key, cache.Backlog{Tasks: 1}, time.Minute)
		},
		"Backlogs": func(ctx context.Context, _ string) error {
			all := []string{"none"}
			for _, key := range keys {
				all = append(all, key)
			}
			_, err := c.Backlogs(ctx, all)
			return err
		},
		"AddBypass": func(ctx context.Context, key string) error {
			return c.AddBypass(ctx, inAnHour(key))
		},
		"RemoveBypass": func(ctx context.Context, key string) error { _, err := c.RemoveBypass(ctx, key); return err },
		"Bypasses":     func(ctx context.Context, _ string) error { _, err := c.Bypasses(ctx); return err },
		"RestoreBypasses": func(ctx context.Context, key string) error {
			return c.RestoreBypasses(ctx, cache.BypassList{All: []cache.Bypass{inAnHour(key)}})
		},

		"Pool": func(context.Context, string) error {
			if c.Pool() == (cache.Pool{}) {
				return errors.New("the pool has no connection")
			}
			return nil
		},
		"Close":  nil, // openAt closes it.
		"SetNow": nil, // Of tests
	}
	redis := reflect.TypeFor[*cache.Redis]()
	for method := range redis.Methods() {
		name := method.Name
		call, known := calls[name]
		require.True(t, known, "no call of %s", name)
		for server, key := range keys {
			if call != nil {
				require.NoError(t, call(t.Context(), key), "%s at %s", name, server.Addr)
			}
		}
	}
	require.Len(t, keys, 3)
}

// TestAMasterIsLost loses one master of three, which has no replica. Objects of the others keep all
// functions, and objects of the lost one fail at once.
func TestAMasterIsLost(t *testing.T) {
	for name, lose := range map[string]func(s *cachetest.Server){"killed": (*cachetest.Server).Kill, "frozen": (*cachetest.Server).Freeze} {
		t.Run(name, func(t *testing.T) {
			cluster := cachetest.StartCluster(t, 3, false)
			var opened, closed atomic.Int64
			const timeout = 300 * time.Millisecond
			c := openAt(t, cluster.URL, func(o *cache.Options) {
				o.Timeout = timeout
				o.OnBreaker = func(open bool) {
					if open {
						opened.Add(1)
					} else {
						closed.Add(1)
					}
				}
			})
			near := cache.NewNearCache(c, cache.NearCacheOptions{})
			lost := cluster.Masters[1]
			var dead, alive []string
			for i := range 60 {
				key := cachetest.Key(fmt.Sprint(t.Name(), i))
				require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
				if cluster.Of(key) == lost {
					dead = append(dead, key)
				} else {
					alive = append(alive, key)
				}
			}
			require.NotEmpty(t, dead)
			lose(lost)
			if name == "frozen" {
				t.Cleanup(lost.Thaw)
			}
			// Two calls pay for the timeout, and open the breaker of that master.
			require.Eventually(t, func() bool {
				_, err := c.Get(t.Context(), dead[0])
				require.Error(t, err)
				return opened.Load() == 1
			}, 20*time.Second, time.Millisecond)
			slowest, failed := time.Duration(0), 0
			for range 5 {
				for _, key := range dead {
					start := time.Now()
					_, err := near.Get(t.Context(), key)
					require.Error(t, err)
					slowest = max(slowest, time.Since(start))
					failed++
				}
				for _, key := range alive {
					e, err := near.Get(t.Context(), key)
					require.NoError(t, err)
					require.Equal(t, cache.Present, e.State)
					_, err = c.Claim(t.Context(), key, time.Minute)
					require.NoError(t, err)
					require.NoError(t, c.Put(t.Context(), key, cache.AnyGeneration, e))
				}
			}
			// One call after each half second tries the lost master again.
			require.Less(t, slowest, 5*timeout, "of %d calls", failed)
			require.EqualValues(t, 1, opened.Load())
			require.Zero(t, closed.Load())
			if name == "frozen" {
				lost.Thaw()
				require.Eventually(t, func() bool { _, err := c.Get(t.Context(), dead[0]); return err == nil }, 20*time.Second, time.Millisecond)
				require.EqualValues(t, 1, closed.Load())
			}
		})
	}
}

// TestARefusedConnectionIsAnError connects with a wrong password. Redis answers, but no command
// runs: an entry is not absent then.
func TestARefusedConnectionIsAnError(t *testing.T) {
	server := cachetest.StartServer(t, "--requirepass", "secret")
	for password, fails := range map[string]bool{"wrong": true, "secret": false} {
		c := openAt(t, "redis://:"+password+"@"+server.Addr)
		_, get := c.Get(t.Context(), "key")
		_, backlogs := c.Backlogs(t.Context(), []string{"pool"})
		_, generation := c.Generation(t.Context(), "key")
		_, purge := c.Purge(t.Context(), "key")
		_, near := cache.NewNearCache(c, cache.NearCacheOptions{}).Get(t.Context(), "key")
		for i, err := range []error{get, backlogs, generation, purge, near} {
			require.Equal(t, fails, err != nil, "call %d with the password %s: %v", i, password, err)
		}
	}
}
