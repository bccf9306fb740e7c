package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// HeadSourcePolicy is brief: without redis and without the bucket, HeadSource succeeds as well.
func HeadSourcePolicy() *temporal.RetryPolicy {
	return doubling(500*time.Millisecond, 10*time.Second, 6)
}

// FirstCopyPolicy retries soon, because clients wait. It has no limit of attempts. The activity
// itself ends the series, after activities.MaxAttempts failures or earlier (activities.FailureRow).
// An attempt that was handed over, or that waited for its turn, is no failure, but the server
// counts it.
func FirstCopyPolicy() *temporal.RetryPolicy {
	return retried(activities.RetryPauses(true))
}

// StreamCopyPolicy is for large objects. It retries for longer, because a started copy is worth
// more. The activity ends the series, as with FirstCopyPolicy.
func StreamCopyPolicy() *temporal.RetryPolicy {
	return retried(activities.RetryPauses(false))
}

// retried returns a policy without a limit of attempts, for which Temporal's value is 0.
func retried(p activities.Pauses) *temporal.RetryPolicy { return doubling(p.First, p.Longest, 0) }

// AbortUploadPolicy is brief, since clients wait until the failure is recorded. A sweep frees the
// rest later.
func AbortUploadPolicy() *temporal.RetryPolicy {
	return doubling(500*time.Millisecond, 5*time.Second, 4)
}

// SweepPolicy gives up after a few attempts. The next sweep does the rest.
func SweepPolicy() *temporal.RetryPolicy {
	return doubling(10*time.Second, 5*time.Minute, 4)
}

// UpdateCachePolicy gives redis time for a failover. After that, the next client's request finds
// the copy in the bucket.
func UpdateCachePolicy() *temporal.RetryPolicy {
	return doubling(200*time.Millisecond, 5*time.Second, 8)
}

// AuditPolicy gives up soon. A later hit audits the copy again.
func AuditPolicy() *temporal.RetryPolicy {
	return doubling(10*time.Second, time.Minute, activities.MaintenanceAttempts)
}

// RefreshPolicy gives up soon. A later hit in the last quarter of the copy's life refreshes it
// again.
func RefreshPolicy() *temporal.RetryPolicy {
	return doubling(10*time.Second, 5*time.Minute, activities.MaintenanceAttempts)
}

// PurgeCopyPolicy never gives up: a purge is not forgotten.
func PurgeCopyPolicy() *temporal.RetryPolicy {
	return doubling(time.Second, 5*time.Minute, 0)
}

// doubling returns a policy: its pause starts at first and doubles up to longest.
func doubling(first, longest time.Duration, attempts int32) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    first,
		BackoffCoefficient: 2,
		MaximumInterval:    longest,
		MaximumAttempts:    attempts,
	}
}
