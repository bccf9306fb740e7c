package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// TestRunOfWorkersThatDoNotAnswerIsKept gives a run's first two workflow tasks to workers that
// never answer, as frozen ones do. A request then does not end the run, which makes the copy.
func TestRunOfWorkersThatDoNotAnswerIsKept(t *testing.T) {
	pause(t, stack.WorkerName(west))
	before := metric(t, "cloud_mirror_stuck_runs_total", workers()[1:]...)
	s := newRanged(t, 1000, nil)
	object := s.object()
	require.False(t, ask(t, west, object, "?max_wait=0").isCopy())
	w := workflows(t, west, object, 1)[0]
	for attempt := int32(1); attempt <= 2; attempt++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var task *workflowservice.PollWorkflowTaskQueueResponse
		for task.GetWorkflowExecution().GetRunId() != w.GetExecution().GetRunId() { // Other tests leave tasks too.
			var err error
			task, err = sys.temporal.WorkflowService().PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
				Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: "copy-s3_" + west}, Identity: "frozen",
			})
			require.NoError(t, err)
		}
		require.Equal(t, attempt, task.GetAttempt())
	}
	eventually(t, func() bool {
		out, err := sys.temporal.DescribeWorkflowExecution(t.Context(), w.GetExecution().GetWorkflowId(), "")
		require.NoError(t, err)
		return out.GetPendingWorkflowTask().GetAttempt() == 3
	}, "both tasks time out")
	sendMessage(t, fmt.Sprintf(`{"version":1,"data":{"id":"s3_%s","url":"%s","action":"put"}}`, west, object))
	eventually(t, func() bool {
		for _, e := range events(t, w) {
			if kind := e.GetEventType(); kind == enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED ||
				kind == enums.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED {
				return true
			}
		}
		return false
	}, "the bridge handles the request")
	require.NoError(t, sys.Resume(stack.WorkerName(west)))
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	require.Equal(t, w.GetExecution().GetRunId(), waitClosed(t, west, object, 1, completedStatus).GetExecution().GetRunId())
	require.InDelta(t, 0, metric(t, "cloud_mirror_stuck_runs_total", workers()...)-before, 0)
}
