package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// The longest lives of the workflows that tend copies. Temporal ends an older one, for example if
// no worker runs in its region. The next hit starts another.
const (
	AuditTimeout   = time.Hour
	RefreshTimeout = 24 * time.Hour
)

// AuditID returns the workflow id of an audit of the object. One object has one audit at a time.
func AuditID(s activities.SealedObject) string { return "audit/" + ID(s) }

// RefreshID returns the workflow id of a refresh of the object. One object has one refresh at a
// time.
func RefreshID(s activities.SealedObject) string { return "refresh/" + ID(s) }

// AuditCopy compares a source with its copy. It completes even if it could not: it makes no copy,
// so its failure must not look like that of one.
func AuditCopy(ctx workflow.Context, in activities.AuditInput) (out activities.AuditResult, _ error) {
	var a *activities.Activities // Only for the names of its methods
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, auditOptions(in.Source)), a.Audit, in).Get(ctx, &out)
	if err != nil && ctx.Err() == nil {
		return activities.AuditResult{Result: activities.AuditUnknown, Cause: lost(ctx, err)}, nil
	}
	return out, ctx.Err()
}

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

// lost logs the error of a series of attempts whose last one did not report, and returns its class.
func lost(ctx workflow.Context, err error) string {
	workflow.GetLogger(ctx).Warn("no attempt reported", "error", err)
	if f, ok := failureOf(err); ok {
		return f.Class
	}
	return activities.ClassInternal
}
