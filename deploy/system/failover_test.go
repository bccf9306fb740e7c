package system_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestRedisFailsOver kills a master of redis under load: clients of known objects, and clients of
// new objects. Every client is redirected, no copy and no purge is lost, and known objects are
// redirected without a HEAD of the bucket within two seconds of the promotion.
func TestRedisFailsOver(t *testing.T) {
	type redis struct {
		url    string
		master func(key string) *cachetest.Server
	}
	for name, start := range map[string]func() redis{
		"sentinels": func() redis {
			s := cachetest.StartSentinels(t)
			return redis{s.URL, func(string) *cachetest.Server { return s.Master() }}
		},
		"cluster": func() redis {
			c := cachetest.StartCluster(t, 3, true)
			return redis{c.URL, c.Of}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start()
			d := startDeployment(t, r.url)
			source := func(kind string, i int) string { return fmt.Sprintf("https://example.com/%s/%s/%d", name, kind, i) }
			var known []string
			for i := range 30 {
				known = append(known, source("known", i))
				require.Equal(t, d.bucket, d.copyOf(t, known[i]))
			}
			generations := map[string]int64{}
			for i := range 10 {
				purged := source("purged", i)
				require.Equal(t, d.bucket, d.copyOf(t, purged))
				require.Equal(t, http.StatusNoContent, d.purge(purged))
				generation, err := d.cache.Generation(t.Context(), d.key(purged))
				require.NoError(t, err)
				require.Positive(t, generation)
				generations[purged] = generation
			}
			require.Equal(t, "0", d.metric(t, "cloud_mirror_unreplicated_purges_total"))
			require.Equal(t, d.metric(t, "cloud_mirror_redis_masters"), d.metric(t, "cloud_mirror_redis_tracked_masters"))

			var hits, cold, toSource atomic.Int64
			var slowestHit, slowestCold longest
			ended := make(chan struct{})
			var clients sync.WaitGroup
			ask := func(source, query string, count *atomic.Int64, slowest *longest) {
				began := time.Now()
				status, location, err := d.redirect(source, query)
				slowest.add(time.Since(began))
				switch {
				case err != nil || status != http.StatusFound:
					t.Errorf("%s: %d, %v", source, status, err)
				case strings.HasPrefix(location, d.bucket):
				case location == source:
					toSource.Add(1)
				default:
					t.Errorf("%s: redirected to %s", source, location)
				}
				count.Add(1)
			}
			loop := func(f func(i int)) {
				clients.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-ended:
							return
						default:
							f(i)
						}
					}
				})
			}
			var asked [4]atomic.Int64 // The new objects of each client
			for client := range asked {
				loop(func(i int) { ask(known[(i+client)%len(known)], "?max_wait=5s", &hits, &slowestHit) })
				loop(func(i int) {
					ask(source(fmt.Sprint("cold", client), i), "?max_wait=20s", &cold, &slowestCold)
					asked[client].Add(1)
				})
			}
			require.Eventually(t, func() bool { return hits.Load() > 500 && cold.Load() > 50 }, 30*time.Second, time.Millisecond)
			require.Zero(t, toSource.Load(), "control: before the failover every client gets the copy")
			before := d.lastHead(known)

			coldBefore := cold.Load()
			former := r.master(d.key(known[0]))
			former.Kill()
			killed := time.Now()
			require.Eventually(t, func() bool { at := r.master(d.key(known[0])); return at != nil && at != former }, 30*time.Second, time.Millisecond)
			promoted := time.Now()
			require.Eventually(t, func() bool {
				return time.Since(d.lastHead(known)) > 2*time.Second && time.Since(promoted) > 4*time.Second
			}, 30*time.Second, time.Millisecond, "known objects still cost HEADs")
			last := d.lastHead(known)
			close(ended)
			clients.Wait()
			require.True(t, last.After(before), "control: without redis, known objects cost HEADs")
			t.Logf("promoted %s after the kill; hits without HEADs %s after the promotion; %d hits, %d cold, %d of them to the source, slowest hit %s, slowest cold %s; "+
				"breaker opened %d times, notifications stopped %d times",
				promoted.Sub(killed).Round(time.Millisecond), last.Sub(promoted).Round(time.Millisecond), hits.Load(), cold.Load(),
				toSource.Load(), slowestHit.get().Round(time.Millisecond), slowestCold.get().Round(time.Millisecond),
				d.logged("circuit breaker open"), d.logged("redis does not notify"))
			require.Less(t, last.Sub(promoted), 2*time.Second)
			require.Less(t, slowestHit.get(), 2*time.Second, "a client of a known object waited")
			require.Less(t, slowestCold.get(), 22*time.Second, "a client waited for longer than its wait")

			for purged, generation := range generations {
				kept, err := d.cache.Generation(t.Context(), d.key(purged))
				require.NoError(t, err)
				require.Equal(t, generation, kept, "a purge is lost")
			}
			require.Greater(t, cold.Load(), coldBefore+10, "control: objects were requested during the failover")
			require.False(t, d.has(source("never requested", 0)), "control")
			var missing []string
			for client := range asked {
				for i := range int(asked[client].Load()) {
					if s := source(fmt.Sprint("cold", client), i); !d.has(s) {
						missing = append(missing, s)
					}
				}
			}
			require.Empty(t, missing, "requested copies that were not made")
			require.Eventually(t, func() bool { return d.metric(t, `cloud_mirror_breaker_open{dependency="redis"}`) == "0" },
				20*time.Second, 10*time.Millisecond)
			require.Equal(t, d.metric(t, "cloud_mirror_redis_masters"), d.metric(t, "cloud_mirror_redis_tracked_masters"))
		})
	}
}

// longest is the longest of many durations.
type longest struct{ atomic.Int64 }

func (l *longest) add(d time.Duration) {
	for most := l.Load(); int64(d) > most && !l.CompareAndSwap(most, int64(d)); {
		most = l.Load()
	}
}

func (l *longest) get() time.Duration { return time.Duration(l.Load()) }

// copyOf requests an object until its client is redirected to a copy, and returns the bucket's URL.
func (d *deployment) copyOf(t *testing.T, source string) (bucket string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, location, err := d.redirect(source, "?max_wait=10s")
		return err == nil && strings.HasPrefix(location, d.bucket)
	}, 30*time.Second, 10*time.Millisecond)
	return d.bucket
}
