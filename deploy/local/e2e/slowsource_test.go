package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

// crawl sends the body of a slow source at 1,500 bytes a second, just above source.min_rate.
func crawl(s *source, w http.ResponseWriter, r *http.Request, end <-chan struct{}) {
	w.Header().Set("Content-Length", fmt.Sprint(len(s.body)))
	for i := 0; i < len(s.body); i += 750 {
		if _, err := w.Write(s.body[i:min(i+750, len(s.body))]); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-end:
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// TestSlowSourceLeavesSlotsToOthers has a source crawl through 150 objects of 8 MiB. A pool copies
// fewer at the same time. Meanwhile, 20 objects of another source are copied within their clients'
// wait, although a slow object takes more than an hour.
func TestSlowSourceLeavesSlotsToOthers(t *testing.T) {
	const slowObjects, others = 150, 20
	const prompt = 25 * time.Second
	end := make(chan struct{})
	var crawling atomic.Int64
	slow := newSource(t, 8*mib, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		crawling.Add(1)
		defer crawling.Add(-1)
		crawl(s, w, r, end)
	})
	t.Cleanup(func() { close(end) })
	slow.excepts(auditor.Messages, "150 copies that fail at once are retried for longer than an audit waits")
	good := newSource(t, 1000, nil)
	copied, quiet := copyAll(t, good, others, prompt)
	require.Equal(t, others, copied, "positive control")

	for range slowObjects {
		require.Equal(t, 302, ask(t, west, slow.object(), "?max_wait=0").status)
	}
	eventually(t, func() bool { return crawling.Load() >= 32 }, "the slow source fills the memory of small objects")
	copied, beside := copyAll(t, good, others, prompt)
	t.Logf("%d of %d copies of another source: the slowest within %s, %s without the slow source", copied, others, beside, quiet)
	require.Equal(t, others, copied, "copies of another source")
	require.Positive(t, crawling.Load(), "the slow source keeps its share")
	admin := sys.AdminURL("worker-" + west)
	require.LessOrEqual(t, metricAt(t, "cloud_mirror_copy_slots_in_use", admin), 64.0)
	require.Positive(t, metricAt(t, "cloud_mirror_returned_tasks_total", admin), "slow copies that wait for their turn")
}

// copyAll requests n objects of a source at the same time. It returns how many were copied within
// the wait, and the time of the slowest request.
func copyAll(t *testing.T, s *source, n int, wait time.Duration) (copied int, slowest time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	answers := make(chan answer, n)
	for range n {
		object := s.object()
		all.Go(func() {
			a, err := request(http.MethodGet, redirectURL(0, west, object, "?max_wait="+wait.String()), "")
			if err == nil {
				answers <- a
			}
		})
	}
	all.Wait()
	close(answers)
	for a := range answers {
		slowest = max(slowest, a.took.Round(time.Millisecond))
		if a.isCopy() {
			copied++
		}
	}
	return copied, slowest
}
