package worker

import (
	"context"
	"fmt"
	"slices"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

const (
	// stuckAttempts is the attempt at which a run counts as stuck whose workflow task a worker
	// failed. The SDK reports the first failure only. Temporal then repeats the task at once, and
	// the next attempts each after [workflows.TaskTimeout]. While workers are upgraded, some of
	// them can't replay runs of the others. A worker of the right build gets the task within these
	// 10 s.
	stuckAttempts = 4
	// lostAttempts is the same if the first attempt timed out. Workers that are frozen, killed or
	// overloaded also let attempts time out. Temporal gives no task to a frozen worker after a
	// minute, when its polls have ended: at most 7 attempts, since each attempt from the fourth on
	// has longer. The eighth one is scheduled after 110 s.
	lostAttempts = 8
	// stuckReason is the reason of the termination, for the Web UI.
	stuckReason = "cloud-mirror: no worker can continue this run (see its failed workflow task); the next run makes the copy"
)

// stuck reports whether no worker can continue a run: its workflow task fails again and again. The
// usual cause is a run that the workers' build does not replay, or whose payload key they lack.
// Such a run would swallow all later requests for its object.
//
// The SDK keeps a task that failed before until its timeout, so that it counts as started. A task
// that waits for a worker is not stuck, however often it has failed: the next worker may be mended.
// A signal makes a new task.
func (b *Bridge) stuck(ctx context.Context, id, run string, out *workflowservice.DescribeWorkflowExecutionResponse) (bool, error) {
	task := out.GetPendingWorkflowTask()
	if task.GetState() != enums.PENDING_WORKFLOW_TASK_STATE_STARTED {
		return false, nil
	}
	attempt := task.GetAttempt()
	if attempt < stuckAttempts || attempt >= lostAttempts {
		return attempt >= lostAttempts, nil
	}
	ends := []enums.EventType{
		enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, enums.EVENT_TYPE_WORKFLOW_TASK_FAILED, enums.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
	}
	last := enums.EVENT_TYPE_UNSPECIFIED
	events := b.Temporal.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return false, fmt.Errorf("get history of workflow %s: %w", id, err)
		}
		if kind := e.GetEventType(); slices.Contains(ends, kind) {
			last = kind
		}
	}
	return last == enums.EVENT_TYPE_WORKFLOW_TASK_FAILED, nil
}
