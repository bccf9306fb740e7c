package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// TestGateOnTheBacklog stops all copying while the bridge runs. Once more tasks wait in Temporal than
// the front end allows, new objects lead to the source within a second. When a worker runs again,
// new objects are copied again.
func TestGateOnTheBacklog(t *testing.T) {
	const tooMany = 20
	s := newSource(t, 1000, nil)
	cached := s.object()
	requireCopy(t, s, west, ask(t, west, cached, ""))
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	defer r.Close()
	key := "cm:2:backlog:{pools}:s3_" + west
	awaitEmpty := func() {
		for range 2 { // The first value can have been measured before the deletion.
			require.NoError(t, r.Del(t.Context(), key).Err())
			eventually(t, func() bool {
				var backlog struct{ Tasks int }
				text, err := r.Get(t.Context(), key).Result()
				return err == nil && json.Unmarshal([]byte(text), &backlog) == nil && backlog.Tasks < tooMany/2
			}, "the copies of earlier tests are made")
		}
	}
	awaitEmpty()
	for _, w := range workers() {
		pause(t, w)
	}
	config := editedConfig(t, func(settingsTree) {})
	bridge := startProcess(t, "gate-bridge", sys.Binary(), strings.Fields("worker --no-copy --config "+config))
	awaitEmpty()
	frontEnd := startProcess(t, "gate-frontend", sys.Binary(), strings.Fields("frontend --config "+config),
		fmt.Sprintf("CLOUD_MIRROR_FRONTEND_MAX_BACKLOG=%d", tooMany))
	request := func(object, query string) answer {
		return do(t, http.MethodGet, frontEnd.redirectURL(west, object, query), "")
	}
	const limited = "Too many copies wait to be made"

	waiting, last := 0, ""
	start := time.Now()
	eventually(t, func() bool {
		if waiting == 2*tooMany && metricAt(t, "cloud_mirror_backlog_tasks", "http://"+bridge.admin) <= tooMany {
			return false // These are enough: each is copied below.
		}
		last = s.object()
		a := request(last, "?max_wait=0")
		require.Equal(t, last, a.location)
		if a.body.Msg == limited {
			return true
		}
		require.Equal(t, "Cached copy did not show up in 0s", a.body.Msg, "control: the gate is open")
		waiting++
		return false
	}, "a new object leads to the source")
	t.Logf("the gate closed after %d requests and %s", waiting, time.Since(start))
	require.Greater(t, waiting, tooMany)
	require.Greater(t, metricAt(t, "cloud_mirror_backlog_tasks", "http://"+bridge.admin), float64(tooMany))
	before := metricAt(t, "cloud_mirror_limited_requests_total", "http://"+frontEnd.admin)
	for range 5 {
		object := s.object()
		a := request(object, "")
		require.Equal(t, object, a.location)
		require.Equal(t, limited, a.body.Msg)
		require.Less(t, a.took, 10*time.Second, "the answer is not at once")
	}
	require.InDelta(t, 5, metricAt(t, "cloud_mirror_limited_requests_total", "http://"+frontEnd.admin)-before, 0)
	requireCopy(t, s, west, request(cached, ""))

	copies := 1 + waiting
	require.Equal(t, 1, s.count(http.MethodGet))
	startProcess(t, "gate-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --no-bridge --config "+config))
	eventually(t, func() bool { return s.count(http.MethodGet) >= copies }, "the copies that wait are made")
	eventually(t, func() bool { return request(s.object(), "").isCopy() }, "new objects are copied again")
	require.Equal(t, "absent", statusOf(t, 0, last).Status, "nothing was requested while the gate was closed")
}
