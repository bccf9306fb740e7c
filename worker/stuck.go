package worker

import (
	"go.temporal.io/api/workflowservice/v1"
)

const (
	// stuckAttempts is the attempt at which a workflow task's run counts as stuck. The SDK reports the
	// first failure only. Temporal then repeats the task at once, and each further attempt after the
	// task's timeout of 10 s. While workers are upgraded, some of them can't replay runs of the others.
	// A worker of the right build gets the task within these 10 s.
	stuckAttempts = 3
	// stuckReason is the reason of the termination, for the Web UI.
	stuckReason = "cloud-mirror: no worker can continue this run (see its failed workflow task); the next run makes the copy"
)

// stuck reports whether no worker can continue a run: its workflow task fails again and again. The
// usual cause is a run that the workers' build does not replay. Such a run would swallow all later
// requests for its object. A task that waits for a worker has one attempt, and a signal makes a new
// task.
func stuck(out *workflowservice.DescribeWorkflowExecutionResponse) bool {
	return out.GetPendingWorkflowTask().GetAttempt() >= stuckAttempts
}
