package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHostsTakeTurns has copies of two hosts wait for a worker: many of one host, and then few of
// another. The few are not made last.
func TestHostsTakeTurns(t *testing.T) {
	const many, few = 60, 5
	for _, w := range workers() {
		pause(t, w)
	}
	var mu sync.Mutex
	var order []string
	host := func(name string) *source {
		return newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			s.serveObject(w, r)
		})
	}
	crowded, other := host("many"), host("few")
	config := editedConfig(t, func(settingsTree) {})
	bridge := startProcess(t, "fair-bridge", sys.Binary(), strings.Fields("worker --no-copy --config "+config))
	handled := func() float64 { return metricAt(t, "cloud_mirror_messages_total", "http://"+bridge.admin) }
	var objects []string
	request := func(s *source, n int) {
		before := handled()
		for range n {
			object := s.object()
			objects = append(objects, object)
			do(t, http.MethodGet, redirectURL(0, west, object, "?max_wait=0"), "")
		}
		eventually(t, func() bool { return handled()-before == float64(n) }, "the copies wait in Temporal")
	}
	request(crowded, many)
	request(other, few)
	startProcess(t, "fair-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --no-bridge --config "+config),
		"CLOUD_MIRROR_WORKER_CONCURRENCY=1")
	eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(order) == many+few
	}, "all sources are read")
	for _, object := range objects { // No work is left to the next test.
		eventually(t, func() bool { return ask(t, west, object, "?max_wait=0").isCopy() }, "all copies are made")
	}
	last := 0
	for i, name := range order {
		if name == "few" {
			last = i
		}
	}
	require.Less(t, last, many/2, "the last copy of the other host, in %v", order)
}
