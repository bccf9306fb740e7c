package worker

import (
	"time"

	"go.temporal.io/api/workflowservice/v1"
)

const (
	// stuckAttempts is how often a workflow task must have been tried before its run counts as stuck.
	// The SDK reports the first failure only: Temporal repeats the task at once then, and every 10 s.
	stuckAttempts = 3
	// stuckAfter is the least age of such a task. While workers are upgraded, some of them can't
	// replay runs of the others, and another worker gets the task within this time.
	stuckAfter = 15 * time.Second
	// stuckReason is the reason of the termination, for the Web UI.
	stuckReason = "cloud-mirror: no worker can continue this run (see its failed workflow task); the next run makes the copy"
)

// stuck reports whether no worker can continue a run: its workflow task fails again and again. The
// usual cause is a run that the workers' build does not replay. Such a run would swallow all later
// requests for its object. A task that waits for a worker has one attempt.
func stuck(out *workflowservice.DescribeWorkflowExecutionResponse, now time.Time) bool {
	task := out.GetPendingWorkflowTask()
	return task.GetAttempt() >= stuckAttempts && now.Sub(task.GetOriginalScheduledTime().AsTime()) >= stuckAfter
}
