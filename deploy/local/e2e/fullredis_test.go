package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// TestRedisRefusesWrites has a redis that is full, or a read-only replica after a failover. Cached
// objects keep their copies, without a HEAD. New objects are copied as without redis.
func TestRedisRefusesWrites(t *testing.T) {
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	defer r.Close()
	do := func(t *testing.T, args ...any) {
		t.Helper()
		require.NoError(t, r.Do(background(t), args...).Err())
	}
	for name, tc := range map[string]struct{ refuse, allow []any }{
		"OOM":      {[]any{"CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", 1}, []any{"CONFIG", "SET", "maxmemory", 0}},
		"READONLY": {[]any{"REPLICAOF", "127.0.0.1", 1}, []any{"REPLICAOF", "NO", "ONE"}},
	} {
		t.Run(name, func(t *testing.T) {
			heads := newS3Proxy(t, west)
			config := editedConfig(t, func(c settingsTree) { c.setEndpoint(t, west, heads.URL) })
			args := strings.Fields("frontend --config " + config)
			remembers := startProcess(t, "remembering-frontend", sys.Binary(), args)
			reads := startProcess(t, "reading-frontend", sys.Binary(), args, "CLOUD_MIRROR_FRONTEND_CACHE_ENTRIES=0")
			get := func(p *process, object, query string) (answer, error) {
				return request("GET", fmt.Sprintf("http://%s/v1/redirect/s3/%s/%s%s", p.listen, west, url.QueryEscape(object), query), "")
			}
			s := newSource(t, 1000, nil)
			cached := s.object()
			for _, p := range []*process{remembers, reads} {
				eventually(t, func() bool { a, err := get(p, cached, "?max_wait=10s"); return err == nil && a.isCopy() }, "control: a copy")
			}
			before := heads.count(cached, callHead)

			t.Cleanup(func() { _ = r.Do(background(t), tc.allow...).Err() })
			do(t, tc.refuse...)
			require.ErrorContains(t, r.Set(background(t), "x", "y", 0).Err(), name, "control: redis refuses writes")

			var failed atomic.Int64
			var clients sync.WaitGroup
			for _, p := range []*process{remembers, reads} {
				for range 10 {
					clients.Go(func() {
						for range 5 {
							_, _ = get(p, s.object(), "?max_wait=0") // Cold: each is refused a lease.
						}
					})
					clients.Go(func() {
						for range 50 {
							if a, err := get(p, cached, "?max_wait=0"); err != nil || !a.isCopy() {
								failed.Add(1)
							}
						}
					})
				}
			}
			clients.Wait()
			require.Zero(t, failed.Load(), "of 1000 requests for a present copy")
			require.Equal(t, before, heads.count(cached, callHead), "a present copy was looked for in the bucket")

			fresh := s.object()
			a, err := get(reads, fresh, "?max_wait=20s")
			require.NoError(t, err)
			require.True(t, a.isCopy(), "%+v", a)
			require.Less(t, a.took, 15*time.Second)
			// UpdateCache gives up, and the workflow ends.
			waitClosed(t, west, fresh, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			for _, p := range []*process{remembers, reads} {
				require.Zero(t, metricAt(t, `cloud_mirror_breaker_open`, "http://"+p.admin))
			}
			do(t, tc.allow...)
			eventually(t, func() bool { a, err := get(reads, fresh, "?max_wait=0"); return err == nil && a.isCopy() }, "the copy is found")
			require.EqualValues(t, 1, r.Exists(background(t), redisKey(west, fresh)).Val(), "the entry is restored")
		})
	}
}
