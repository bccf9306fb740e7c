package cache_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// replicated is a redis whose masters have a replica each.
type replicated struct {
	url string
	// master returns the current master of a key. promoted reports whether another server than
	// the given one is the master of the key for all.
	master   func(key string) *cachetest.Server
	promoted func(key string, former *cachetest.Server) bool
	replica  func(of *cachetest.Server) *cachetest.Server
}

// replicatedKinds starts a redis of each kind that has replicas.
func replicatedKinds() map[string]func(t *testing.T) replicated {
	return map[string]func(t *testing.T) replicated{
		"sentinels": func(t *testing.T) replicated {
			s := cachetest.StartSentinels(t)
			return replicated{
				url: s.URL, master: func(string) *cachetest.Server { return s.Master() },
				promoted: func(_ string, former *cachetest.Server) bool { at := s.Master(); return at != nil && at != former },
				replica:  func(*cachetest.Server) *cachetest.Server { return s.Servers[1] },
			}
		},
		"cluster": func(t *testing.T) replicated {
			c := cachetest.StartCluster(t, 3, true)
			return replicated{
				url: c.URL, master: c.Of,
				promoted: func(key string, former *cachetest.Server) bool { at := c.Of(key); return at != nil && at != former },
				replica: func(of *cachetest.Server) *cachetest.Server {
					for i, master := range c.Masters {
						if master == of {
							return c.Replicas[i]
						}
					}
					return nil
				},
			}
		},
	}
}

// TestAPurgeWaitsForAReplica purges with a replica in sync, and with one that hangs.
func TestAPurgeWaitsForAReplica(t *testing.T) {
	for name, start := range replicatedKinds() {
		t.Run(name, func(t *testing.T) {
			all := start(t)
			var unreplicated atomic.Int64
			c := openAt(t, all.url, func(o *cache.Options) { o.Unreplicated = func() { unreplicated.Add(1) } })
			key := cachetest.Key(t.Name())
			_, err := c.Purge(t.Context(), key)
			require.NoError(t, err)
			require.Zero(t, unreplicated.Load(), "the replica is in sync")

			replica := all.replica(all.master(key))
			replica.Freeze()
			began := time.Now()
			generation, err := c.Purge(t.Context(), key)
			took := time.Since(began)
			replica.Thaw()
			require.NoError(t, err, "a purge that no replica has acknowledged is done")
			require.EqualValues(t, 1, unreplicated.Load())
			require.GreaterOrEqual(t, took, 500*time.Millisecond)
			require.Less(t, took, 5*time.Second)
			kept, err := c.Generation(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, generation, kept)
		})
	}
}

// TestAPurgeWithoutReplicas does not wait. TestAPurgeWaitsForAReplica is the control.
func TestAPurgeWithoutReplicas(t *testing.T) {
	server := cachetest.StartServer(t)
	c := openAt(t, "redis://"+server.Addr, func(o *cache.Options) { o.Unreplicated = func() { t.Error("unreplicated") } })
	_, err := c.Purge(t.Context(), cachetest.Key(t.Name()))
	require.NoError(t, err)
	require.Zero(t, server.Calls("wait"))
}

// TestFailover kills the master of a purged and of a held object. The purge survives, no function
// is lost for more than two seconds after the promotion, and no entry is served after it changed.
func TestFailover(t *testing.T) {
	for name, start := range replicatedKinds() {
		t.Run(name, func(t *testing.T) {
			all := start(t)
			c := openAt(t, all.url, func(o *cache.Options) { o.Timeout = 500 * time.Millisecond })
			writer := openAt(t, all.url) // Another process.
			n, down := nearOf(t, c)
			watcher := watch(t, c, func(bool) {})
			key := hold(t, n, writer, t.Name())
			purged := make([]string, 20)
			generations := map[string]int64{}
			for i := range purged {
				purged[i] = cachetest.Key(fmt.Sprint(t.Name(), i))
				g, err := writer.Purge(t.Context(), purged[i])
				require.NoError(t, err)
				generations[purged[i]] = g
			}
			_, err := writer.Purge(t.Context(), cachetest.Key("all writes before have reached the replica"))
			require.NoError(t, err)

			former := all.master(key)
			former.Kill()
			killed := time.Now()
			require.Eventually(t, func() bool { return !held(n, key) }, 5*time.Second, time.Millisecond)
			require.Less(t, time.Since(killed), maxStale+100*time.Millisecond, "served after its master was lost")
			require.Eventually(t, func() bool { return all.promoted(key, former) }, 30*time.Second, time.Millisecond)
			promoted := time.Now()
			require.Eventually(t, func() bool { _, err := n.Get(t.Context(), key); return err == nil }, 30*time.Second, time.Millisecond)
			reads := time.Since(promoted)
			require.Eventually(t, func() bool { _, _ = n.Get(t.Context(), key); return held(n, key) }, 30*time.Second, time.Millisecond)
			memory := time.Since(promoted)
			require.Eventually(t, watcher.Up, 30*time.Second, time.Millisecond)
			t.Logf("promoted %s after the kill; read %s, in memory %s, woken %s after the promotion",
				promoted.Sub(killed), reads, memory, time.Since(promoted))
			require.Less(t, memory, 2*time.Second)
			require.Positive(t, down.Load())

			for object, generation := range generations {
				kept, err := c.Generation(t.Context(), object)
				require.NoError(t, err)
				require.Equal(t, generation, kept, "a purge is lost")
			}
			// Invalidations and wake-ups come from the new master.
			changed, stop := watcher.Wait(key)
			defer stop()
			require.Eventually(t, func() bool { _, err := writer.Purge(t.Context(), key); return err == nil }, 30*time.Second, time.Millisecond)
			requireChange(t, n, key)
			receive(t, changed)
		})
	}
}

// TestNoEntryIsServedAfterAHandover makes the replica the master while the former master lives on.
// The former master keeps its connections, and answers.
func TestNoEntryIsServedAfterAHandover(t *testing.T) {
	for name, handOver := range map[string]func(t *testing.T) (url string, handOver func(key string)){
		"sentinels": func(t *testing.T) (string, func(string)) {
			s := cachetest.StartSentinels(t)
			return s.URL, func(string) { s.Sentinels[0].Do("SENTINEL", "FAILOVER", "main") }
		},
		"cluster": func(t *testing.T) (string, func(string)) {
			c := cachetest.StartCluster(t, 3, true)
			return c.URL, func(key string) {
				for i, master := range c.Masters {
					if master == c.Of(key) {
						c.Replicas[i].Do("CLUSTER", "FAILOVER")
						return
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, handOver := handOver(t)
			c, writer := openAt(t, url), openAt(t, url)
			n, down := nearOf(t, c)
			key := hold(t, n, writer, t.Name())
			handOver(key)
			require.Eventually(t, func() bool { return down.Load() > 0 }, 30*time.Second, time.Millisecond, "the former master is still tracked")
			require.Eventually(t, func() bool { _, _ = n.Get(t.Context(), key); return held(n, key) }, 30*time.Second, time.Millisecond)
			_, err := writer.Purge(t.Context(), key)
			require.NoError(t, err)
			requireChange(t, n, key)
		})
	}
}

// TestAHungSentinelIsReplaced freezes the sentinels in turn. All calls succeed, with the help of the
// other two.
func TestAHungSentinelIsReplaced(t *testing.T) {
	s := cachetest.StartSentinels(t)
	c := openAt(t, s.URL, func(o *cache.Options) { o.Timeout = 200 * time.Millisecond })
	key := cachetest.Key(t.Name())
	get := func() error { _, err := c.Get(context.Background(), key); return err }
	require.NoError(t, get())
	for _, sentinel := range s.Sentinels {
		sentinel.Freeze()
		s.Master().Do("CLIENT", "KILL", "TYPE", "normal") // The next call dials.
		require.Eventually(t, func() bool { return get() == nil }, 20*time.Second, time.Millisecond)
		sentinel.Thaw()
	}
}
