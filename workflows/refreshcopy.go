package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// RefreshTimeout is the longest life of a refresh; see [AuditTimeout].
const RefreshTimeout = 24 * time.Hour

// RefreshID returns the workflow id of a refresh of the object. One object has one refresh at a
// time.
func RefreshID(s activities.SealedObject) string { return "refresh/" + ID(s) }

// RefreshCopy has the bucket keep a copy that it would delete soon. It completes even if that
// failed: the copy is as before.
func RefreshCopy(ctx workflow.Context, in activities.RefreshInput) (out activities.RefreshResult, _ error) {
	var a *activities.Activities // Only for the names of its methods
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, refreshOptions(in.Source)), a.Refresh, in).Get(ctx, &out)
	if err != nil && ctx.Err() == nil {
		return activities.RefreshResult{Result: activities.RefreshFailed, Cause: lost(ctx, err)}, nil
	}
	return out, ctx.Err()
}
