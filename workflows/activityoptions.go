package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
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

// firstCopyOptions is for the first request to a source, which copies a small object as well.
func firstCopyOptions(summary string) workflow.ActivityOptions {
	opts := streamCopyOptions(summary)
	opts.RetryPolicy = FirstCopyPolicy()
	return opts
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
