package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Priority returns the priority of a workflow and all its tasks
// (https://docs.temporal.io/develop/task-queue-priority-fairness): the lowest if no client waits
// for the copy, and the default otherwise.
func Priority(low bool) temporal.Priority {
	if low {
		return temporal.Priority{PriorityKey: 5}
	}
	return temporal.Priority{}
}

// HeadSourcePolicy retries an unavailable source for about half of a client's default wait. If it
// fails for longer, the next request starts a new workflow.
func HeadSourcePolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    500 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    10 * time.Second,
		MaximumAttempts:    6,
	}
}

// StreamCopyPolicy retries for longer, because a started copy is worth more.
func StreamCopyPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    time.Minute,
		MaximumAttempts:    8,
	}
}

// AbortUploadPolicy is brief, since clients wait until the failure is recorded. A sweep frees the
// rest later.
func AbortUploadPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    500 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    5 * time.Second,
		MaximumAttempts:    4,
	}
}

// SweepPolicy gives up after a few attempts. The next sweep does the rest.
func SweepPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    10 * time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    5 * time.Minute,
		MaximumAttempts:    4,
	}
}

// UpdateCachePolicy gives redis time for a failover. After that, the next client's request finds
// the copy in the bucket.
func UpdateCachePolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    200 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    5 * time.Second,
		MaximumAttempts:    8,
	}
}

// No activity has a schedule-to-start timeout: while no worker runs in the region, copies wait for
// a worker.

func headSourceOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 45 * time.Second,
		RetryPolicy:         HeadSourcePolicy(),
		Summary:             summary,
	}
}

// streamCopyOptions bounds an attempt by its heartbeat. The start-to-close timeout only has to end
// before package cache forgets a purge, in case the purge's cancellation was lost. The next attempt
// resumes from the stored parts, unless the copy is one stream.
func streamCopyOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 48 * time.Hour,
		HeartbeatTimeout:    15 * time.Second,
		RetryPolicy:         StreamCopyPolicy(),
		WaitForCancellation: true,
		Summary:             summary,
	}
}

func abortUploadOptions() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout:    10 * time.Second,
		ScheduleToCloseTimeout: 30 * time.Second,
		RetryPolicy:            AbortUploadPolicy(),
		Summary:                "abort unfinished uploads",
	}
}

func sweepOptions() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    2 * time.Minute,
		RetryPolicy:         SweepPolicy(),
	}
}

func updateCacheOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         UpdateCachePolicy(),
		Summary:             summary,
	}
}
