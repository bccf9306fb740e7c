package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// TestRunThatDoesNotReplayIsReplaced starts a copy with another definition of its workflow, which
// no build of ours replays. The object's next requests get the copy all the same.
func TestRunThatDoesNotReplayIsReplaced(t *testing.T) {
	require.NoError(t, sys.Stop(stack.WorkerName(west)))
	other := worker.New(sys.temporal, "copy-s3_"+west, worker.Options{})
	other.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ any) error {
		return workflow.Sleep(ctx, time.Hour)
	}, workflow.RegisterOptions{Name: "CopyObject"})
	require.NoError(t, other.Start())
	before := metric(t, "cloud_mirror_stuck_runs_total", workers()[1:]...)

	s := newRanged(t, 1000, nil)
	object := s.object()
	require.False(t, ask(t, west, object, "?max_wait=0").isCopy())
	first := workflows(t, west, object, 1)[0]
	eventually(t, func() bool {
		for _, e := range events(t, first) {
			if e.GetEventType() == enums.EVENT_TYPE_TIMER_STARTED {
				return true
			}
		}
		return false
	}, "the other definition runs")
	other.Stop()
	require.NoError(t, sys.Resume(stack.WorkerName(west)))

	start := time.Now()
	until := start.Add(2 * time.Minute)
	a := ask(t, west, object, "")
	for !a.isCopy() && time.Now().Before(until) {
		a = ask(t, west, object, "")
	}
	t.Logf("copied after %s", time.Since(start))
	requireCopy(t, s.source, west, a)
	waitClosed(t, west, object, 2, completedStatus)
	runs := workflows(t, west, object, 2)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, runs[1].GetStatus())
	require.Equal(t, first.GetExecution().GetRunId(), runs[1].GetExecution().GetRunId())
	all := events(t, runs[1])
	require.Contains(t, all[len(all)-1].GetWorkflowExecutionTerminatedEventAttributes().GetReason(), "no worker can continue this run")
	require.InDelta(t, 1, metric(t, "cloud_mirror_stuck_runs_total", workers()...)-before, 0)
	lines := 0
	for _, w := range workers() {
		log, err := os.ReadFile(filepath.Join(sys.LogDir(), w+".log"))
		require.NoError(t, err)
		lines += strings.Count(string(log), "run terminated: no worker could continue it")
	}
	require.Equal(t, 1, lines)
}
