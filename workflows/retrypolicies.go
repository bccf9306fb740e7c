package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
)

// HeadSourcePolicy is brief: without redis and without the bucket, HeadSource succeeds as well.
func HeadSourcePolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    500 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    10 * time.Second,
		MaximumAttempts:    6,
	}
}

// FirstCopyPolicy retries soon, because clients wait. The activity ends the series itself if the
// source keeps failing. Only an outage of the bucket uses all attempts, which take about a minute.
func FirstCopyPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    500 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    30 * time.Second,
		MaximumAttempts:    8,
	}
}

// StreamCopyPolicy is for large objects. It retries for longer, because a started copy is worth
// more.
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
