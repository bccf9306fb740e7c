package workflows

import "go.temporal.io/sdk/temporal"

// Priority returns the priority of a workflow and all its tasks
// (https://docs.temporal.io/develop/task-queue-priority-fairness): the lowest if no client waits
// for the copy, and the default otherwise.
func Priority(low bool) temporal.Priority {
	if low {
		return temporal.Priority{PriorityKey: 5}
	}
	return temporal.Priority{}
}
