package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// TestRedisRefusesWrites has a redis that is full, and then a read-only replica, as after a failover.
// Cached objects keep their copies, without a HEAD. New objects are copied as without redis.
func TestRedisRefusesWrites(t *testing.T) {
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	t.Cleanup(func() { _ = r.Close() }) // After the clean-up below, also if the test fails
	do := func(t *testing.T, args ...any) {
		t.Helper()
		require.NoError(t, r.Do(background(t), args...).Err())
	}
	heads := newS3Proxy(t, west)
	config := editedConfig(t, func(c settingsTree) { c.setEndpoint(t, west, heads.URL) })
	args := strings.Fields("frontend --config " + config)
	remembers := startProcess(t, "remembering-frontend", sys.Binary(), args)
	reads := startProcess(t, "reading-frontend", sys.Binary(), args, "CLOUD_MIRROR_FRONTEND_CACHE_ENTRIES=0")
	both := []*process{remembers, reads}
	get := func(p *process, object, query string) (answer, error) {
		return request("GET", p.redirectURL(west, object, query), "")
	}
	s := newSource(t, 1000, nil)
	cached := s.object()
	for _, p := range both {
		eventually(t, func() bool { a, err := get(p, cached, "?max_wait=10s"); return err == nil && a.isCopy() }, "control: a copy")
	}
	before := heads.count(cached, callHead)

	t.Cleanup(func() {
		_ = r.Do(background(t), "REPLICAOF", "NO", "ONE").Err()
		_ = r.Do(background(t), "CONFIG", "SET", "maxmemory", 0).Err()
	})
	var fresh []string
	var requested atomic.Int64
	for _, way := range []struct {
		reply   string
		actions [][]any // At no time between both ways does redis accept writes.
	}{
		{"OOM", [][]any{{"CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", 1}}},
		{"READONLY", [][]any{{"REPLICAOF", "127.0.0.1", 1}, {"CONFIG", "SET", "maxmemory", 0}}},
	} {
		t.Run(way.reply, func(t *testing.T) {
			for _, a := range way.actions {
				do(t, a...)
			}
			require.ErrorContains(t, r.Set(background(t), "x", "y", 0).Err(), way.reply, "control: redis refuses writes")

			object := s.object()
			fresh = append(fresh, object)
			var a answer
			var err error
			var failed atomic.Int64
			var clients sync.WaitGroup
			clients.Go(func() { a, err = get(reads, object, "?max_wait=20s") })
			for _, p := range both {
				for range 4 { // More would fill a small machine, whose breakers then open
					clients.Go(func() {
						for range 3 {
							a, err := get(p, s.object(), "?max_wait=0") // Cold: each is refused a lease.
							if err == nil && a.body.Msg == "Cached copy did not show up in 0s" {
								requested.Add(1)
							}
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
			require.Zero(t, failed.Load(), "of 400 requests for a present copy")
			require.Equal(t, before, heads.count(cached, callHead), "a present copy was looked for in the bucket")

			require.NoError(t, err)
			require.True(t, a.isCopy(), "%+v", a)
			require.Less(t, a.took, 15*time.Second)
			for _, p := range both {
				require.Zero(t, metricAt(t, `cloud_mirror_breaker_open\{dependency="redis"\}`, "http://"+p.admin))
				eventually(t, func() bool { return metricAt(t, `cloud_mirror_breaker_open`, "http://"+p.admin) == 0 }, "load opened no breaker for good")
			}
		})
	}
	require.Len(t, fresh, 2)
	require.Positive(t, requested.Load())
	// On a busy machine a breaker opens, and a front end does not send the request of each such answer.
	sent := map[string]bool{}
	for _, p := range both {
		for _, line := range p.logged(t) {
			var entry struct{ Message, Object string }
			if json.Unmarshal(line, &entry) == nil && entry.Message == "copy requested" {
				sent[entry.Object] = true
			}
		}
	}
	require.Greater(t, len(sent), 1+len(fresh))
	eventually(t, func() bool { return s.count(http.MethodGet) >= len(sent) }, "all copies are started")
	waitIdle(t, s)                 // No work is left to the next test.
	for _, object := range fresh { // UpdateCache gives up, and the workflow ends.
		waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	}
	for _, p := range both {
		require.Zero(t, metricAt(t, `cloud_mirror_breaker_open\{dependency="redis"\}`, "http://"+p.admin))
		eventually(t, func() bool { return metricAt(t, `cloud_mirror_breaker_open`, "http://"+p.admin) == 0 }, "load opened no breaker for good")
	}
	do(t, "REPLICAOF", "NO", "ONE")
	for _, object := range fresh {
		require.Zero(t, r.Exists(background(t), redisKey(west, object)).Val(), "control: the entry was refused")
		eventually(t, func() bool { a, err := get(reads, object, "?max_wait=0"); return err == nil && a.isCopy() }, "the copy is found")
		require.EqualValues(t, 1, r.Exists(background(t), redisKey(west, object)).Val(), "the entry is restored")
	}
}
