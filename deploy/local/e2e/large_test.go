package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// halfCopied starts the copy of an object in parts of 5 MiB. It returns when the first two parts
// are stored. The source sends the other parts slowly until gate is closed.
func halfCopied(t *testing.T, region string) (s *ranged, object string, gate chan struct{}) {
	t.Helper()
	gate = make(chan struct{})
	s = newRanged(t, 30*mib, after(10*mib, gate))
	object = s.object()
	require.False(t, ask(t, region, object, "?max_wait=0").isCopy())
	eventually(t, func() bool { return storedParts(t, region, keyOf(t, object)) == 2 && s.open.Load() == 4 }, "two of six parts are stored")
	return s, object, gate
}

func TestTerminatedWorkerHandsOverALargeCopy(t *testing.T) {
	s, object, gate := halfCopied(t, central)
	require.NoError(t, sys.Stop("worker-eu-central-1"))
	eventually(t, func() bool { return s.open.Load() == 0 }, "no request to the source is in flight")
	first := s.sent.Load()
	close(gate)
	require.NoError(t, sys.Resume("worker-eu-central-1"))
	requireCopy(t, s.source, central, ask(t, central, object, ""))

	require.EqualValues(t, len(s.body)-10*mib, s.sent.Load()-first, "bytes fetched by the second worker")
	require.Less(t, first, int64(len(s.body)))
	w := waitClosed(t, central, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	done := activities(t, w)["StreamCopy"]
	require.EqualValues(t, 2, done.attempts)
	// Sooner than Temporal would notice a missing heartbeat.
	require.Equal(t, "HandedOver", done.lastFailure.GetApplicationFailureInfo().GetType())
	require.Equal(t, copyResult{
		Size: int64(len(s.body)), Resumed: 10 * mib, Fetched: int64(len(s.body) - 10*mib), Way: "parallel ranges",
	}, done.result)
	require.Empty(t, openUploads(t, central, keyOf(t, object)))
}

func TestCancelledCopyLeavesNothing(t *testing.T) {
	s, object, gate := halfCopied(t, west)
	w := workflows(t, west, object, 1)[0]
	start := time.Now()
	require.NoError(t, sys.temporal.CancelWorkflow(t.Context(), w.GetExecution().GetWorkflowId(), ""))
	eventually(t, func() bool { return s.open.Load() == 0 }, "no request to the source is in flight")
	w = waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_CANCELED)
	require.Less(t, time.Since(start), 10*time.Second) // About a second, unless the machine is busy
	require.Equal(t, []string{"HeadSource", "StreamCopy", "StreamCopy", "AbortUpload", "UpdateCache"}, scheduled(t, w))
	done := activities(t, w)["StreamCopy"]
	require.True(t, done.cancelled)
	require.EqualValues(t, 1, done.attempts)
	requireNothing(t, west, object)
	require.Less(t, s.sent.Load(), int64(len(s.body)))

	// Clients don't restart a copy that an operator cancelled, except after a purge.
	close(gate)
	a := ask(t, west, object, "")
	require.Equal(t, object, a.location)
	require.Less(t, a.took, 5*time.Second, "the client waits to restart the copy")
	workflows(t, west, object, 1)
	purge(t, west, object)
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	require.Zero(t, s.count(http.MethodHead))
}
