package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// TestReplayOfANamespace replays no history, then an ended copy, a failed one and an open one. Then
// another build of CopyObject begins a copy, which this build does not continue.
func TestReplayOfANamespace(t *testing.T) {
	n := newOwnNamespace(t)
	out, stderr, err := n.run(t, "replay")
	require.Error(t, err)
	require.Contains(t, stderr, "no history was replayed")
	require.Contains(t, out, "namespace "+n.name+": 0 runs replay, 0 do not\n")
	_, stderr, err = n.run(t, "replay", "--allow-empty")
	require.NoError(t, err, stderr)

	n.worker(t, "worker", "")
	copied := newUnauditedSource(t, 1000, nil)
	requireCopy(t, copied, west, n.ask(t, copied.object(), ""))
	gone := newUnauditedSource(t, 1000, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
		http.NotFound(w, r)
	})
	require.Equal(t, http.StatusNotFound, n.ask(t, gone.object(), "").status)
	gate := make(chan struct{})
	defer close(gate)
	held := newUnauditedSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		<-gate
		s.serveObject(w, r)
	})
	require.False(t, n.ask(t, held.object(), "?max_wait=0").isCopy())
	eventually(t, func() bool {
		out, stderr, err = n.run(t, "replay")
		require.NoError(t, err, out+stderr)
		return containsAll(out, "CopyObject  1     local HeadSource, StreamCopy, local UpdateCache: Completed\n",
			"CopyObject  1     local HeadSource, StreamCopy: Running\n", ": Failed\n",
			"namespace "+n.name+": 3 CopyObject replay, 0 do not\n")
	}, "three runs replay")
	out, _, err = n.run(t, "replay", "--query", `ExecutionStatus="Running"`)
	require.NoError(t, err)
	require.Contains(t, out, ": 1 CopyObject replay, 0 do not\n")

	other := worker.New(n.client, "copy-of-another-build", worker.Options{})
	other.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		return workflow.Sleep(ctx, time.Hour)
	}, workflow.RegisterOptions{Name: "CopyObject"})
	require.NoError(t, other.Start())
	defer other.Stop()
	run, err := n.client.ExecuteWorkflow(t.Context(),
		client.StartWorkflowOptions{ID: "other", TaskQueue: "copy-of-another-build"}, "CopyObject")
	require.NoError(t, err)
	eventually(t, func() bool {
		events := n.client.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false,
			enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			require.NoError(t, err)
			if e.GetEventType() == enums.EVENT_TYPE_TIMER_STARTED {
				return true
			}
		}
		return false
	}, "the other build begins the run")
	eventually(t, func() bool {
		out, stderr, err = n.run(t, "replay")
		return err != nil
	}, "the run is listed")
	require.Contains(t, stderr, "1 of 4 runs do not replay with this build")
	difference := "CopyObject other run " + run.GetRunID() + ` \(Running\): event 4 \(timer\): .*\[TMPRL1100\] `
	require.Regexp(t, "does not replay: "+difference, out)
	require.Contains(t, out, "3 CopyObject replay, 1 do not\n")
	_, stderr, err = n.run(t, "replay", "--query", `WorkflowId!="other"`)
	require.NoError(t, err, stderr)
}
