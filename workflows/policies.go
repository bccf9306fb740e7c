package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Priority is that of a workflow and all its tasks (https://docs.temporal.io/develop/task-queue-priority-fairness): the
// lowest for copies that nobody waits for, and else the default.
func Priority(low bool) temporal.Priority {
	if low {
		return temporal.Priority{PriorityKey: 5}
	}
	return temporal.Priority{}
}

// HeadSourcePolicy retries a source that is briefly unwell for about half of a client's default wait. Whatever fails for
// longer is started again by the next request.
func HeadSourcePolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    500 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    10 * time.Second,
		MaximumAttempts:    6,
	}
}

// StreamCopyPolicy retries more patiently: what was begun is worth more.
func StreamCopyPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    time.Minute,
		MaximumAttempts:    8,
	}
}

// AbortUploadPolicy is brief, since clients wait for the failure to be recorded: what is left is swept later.
func AbortUploadPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    500 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    5 * time.Second,
		MaximumAttempts:    4,
	}
}

// SweepPolicy leaves the rest to the next sweep.
func SweepPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    10 * time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    5 * time.Minute,
		MaximumAttempts:    4,
	}
}

// UpdateCachePolicy gives redis time for a fail-over. After that the bucket itself tells the next client.
func UpdateCachePolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    200 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    5 * time.Second,
		MaximumAttempts:    8,
	}
}

// No activity has a schedule-to-start timeout: while no worker runs in the region, copies wait for one.

func headSourceOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 45 * time.Second,
		RetryPolicy:         HeadSourcePolicy(),
		Summary:             summary,
	}
}

// streamCopyOptions bound a copy by its heartbeat. The total only has to end at some time, and soon enough that a purge of
// its object is still remembered (see cache) should the purge's cancellation have been lost; what was stored by then is
// gone on from, unless it came as one stream.
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
		Summary:                "free what was stored in parts",
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
