package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// TestKillOfASlowCopyCostsFewBytes kills a worker that copies 98 MB from a source of 20 MB/s. Another
// worker resumes the copy soon, and fetches no stored part again. How many bytes are not stored
// depends on the machine's load: make bench-copy measures it.
func TestKillOfASlowCopyCostsFewBytes(t *testing.T) {
	const size, part = 98_000_000, 8 * mib
	k := startKillable(t, east)
	s := newRanged(t, size, nil)
	s.rate.Store(&sharedRate{perSecond: 20e6})
	object := s.object()
	require.False(t, ask(t, east, object, "?max_wait=0").isCopy())
	eventually(t, func() bool { return s.sent.Load() >= size/2 && k.s3.count(object, callPart) > 0 }, "half of the object is sent")
	k.kill()
	killed := time.Now()
	eventually(t, func() bool { return s.open.Load() == 0 }, "the connections of the dead worker are closed")
	lost := s.sent.Load() - int64(k.s3.count(object, callPart))*part
	require.NoError(t, sys.Resume("worker-us-east-1"))
	eventually(t, func() bool { return s.open.Load() > 0 }, "another worker resumes the copy")
	resumed := time.Since(killed)
	w := waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	again := s.sent.Load() - size
	t.Logf("resumed %s after the kill, and %.1f MB were fetched again, of %.1f MB that were not stored",
		resumed.Round(100*time.Millisecond), float64(again)/1e6, float64(lost)/1e6)
	requireCopy(t, s.source, east, ask(t, east, object, "?max_wait=0"))
	require.LessOrEqual(t, again, lost+part)
	require.Positive(t, activities(t, w)["StreamCopy"].result.Resumed, "control: parts of the dead worker")
}

// TestClientOfAKilledWorkerGetsItsCopy kills a worker while a client waits for a small object. Another
// worker makes the copy within the client's wait.
func TestClientOfAKilledWorkerGetsItsCopy(t *testing.T) {
	k := startKillable(t, east)
	s := newRanged(t, 300_000, nil)
	object := s.object()
	at := k.s3.stop(object, callPut, 0, false)
	type result struct {
		answer
		err error
	}
	answered := make(chan result, 1)
	go func() {
		a, err := request(http.MethodGet, redirectURL(0, east, object, "?max_wait=28s"), "")
		answered <- result{a, err}
	}()
	at.wait(t, "put")
	k.kill()
	killed := time.Now()
	require.NoError(t, sys.Resume("worker-us-east-1"))
	r := <-answered
	require.NoError(t, r.err)
	t.Logf("the client has its copy %s after the kill", time.Since(killed).Round(100*time.Millisecond))
	requireCopy(t, s.source, east, r.answer)
}
