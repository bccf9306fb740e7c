package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// No activity has a schedule-to-start timeout: while no worker runs in the region, copies wait for
// a worker.

// headSourceOptions waits for an attempt in progress. Otherwise that attempt could renew the lease
// after the workflow has recorded its cancellation.
func headSourceOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 45 * time.Second,
		RetryPolicy:         HeadSourcePolicy(),
		WaitForCancellation: true,
		Summary:             summary,
	}
}

// localTimeout bounds a local attempt, with its wait for a slot. It is far below the timeout of the
// workflow task that contains the attempt: signals wait until that task ends.
const localTimeout = 2 * time.Second

// localOptions is for the first attempt of a brief activity.
func localOptions(summary string) workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: localTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                summary,
	}
}

// Heartbeat timeouts, which are how late the death of a worker is noticed. They run while Temporal is
// away as well: see [HeartbeatPatience]. A copy of a small object costs little to repeat.
const (
	firstCopyHeartbeat  = 6 * time.Second
	streamCopyHeartbeat = 12 * time.Second
)

// HeartbeatPatience is how long the call of a heartbeat may take, retries included, if the activity has
// this heartbeat timeout, or 0 for none. The remaining two seconds let an activity that can't heartbeat
// stop before Temporal starts another attempt.
func HeartbeatPatience(timeout time.Duration) time.Duration {
	if timeout == 0 {
		return 10 * time.Second
	}
	return min(max(timeout-2*time.Second, timeout/2), 10*time.Second)
}

// TaskTimeout is how late Temporal notices that a worker died during a workflow task of a copy. A task
// takes milliseconds.
const TaskTimeout = 5 * time.Second

// firstCopyOptions is for the first request to a source, which copies a small object as well.
func firstCopyOptions(summary string) workflow.ActivityOptions {
	opts := streamCopyOptions(summary)
	opts.HeartbeatTimeout = firstCopyHeartbeat
	opts.RetryPolicy = FirstCopyPolicy()
	return opts
}

// streamCopyOptions bounds an attempt by its heartbeat. The start-to-close timeout only has to end
// before package cache forgets a purge, in case the purge's cancellation was lost. The next attempt
// resumes from the stored parts, unless the copy is one stream.
func streamCopyOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 48 * time.Hour,
		HeartbeatTimeout:    streamCopyHeartbeat,
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

// auditOptions bounds two requests to the source, of at most 30 redirects each.
func auditOptions(s activities.SealedObject) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute,
		RetryPolicy:         AuditPolicy(),
		TaskQueue:           MaintenanceTaskQueue(s.Pool()),
		Priority:            Priority(true, Host(s)),
		Summary:             "audit " + readable(s.URL, 150),
	}
}

// refreshOptions bounds an attempt by its heartbeat, one for each part. An object of one call has
// no parts, and may take 5 minutes. The completion of an upload may take 10 minutes.
func refreshOptions(s activities.SealedObject) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 12 * time.Hour,
		HeartbeatTimeout:    15 * time.Minute,
		RetryPolicy:         RefreshPolicy(),
		TaskQueue:           MaintenanceTaskQueue(s.Pool()),
		Priority:            Priority(true, Host(s)),
		Summary:             "refresh " + readable(s.URL, 150),
	}
}

func updateCacheOptions(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         UpdateCachePolicy(),
		Summary:             summary,
	}
}

// purgeCopyOptions shares the task queue of new copies: a purge is brief, and must not wait behind
// refreshes.
func purgeCopyOptions(s activities.SealedObject) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		RetryPolicy:         PurgeCopyPolicy(),
		Summary:             "purge " + readable(s.URL, 150),
	}
}
