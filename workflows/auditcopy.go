package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// AuditTimeout is the longest life of an audit. Temporal ends an older audit, for example if no
// worker runs in its region. The next sampled hit starts another.
const AuditTimeout = time.Hour

// AuditID returns the workflow id of an audit of the object. One object has one audit at a time.
func AuditID(s activities.SealedObject) string { return "audit/" + ID(s) }

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

// lost logs the error of an audit or refresh if no attempt reported a result. It returns the error's
// class.
func lost(ctx workflow.Context, err error) string {
	workflow.GetLogger(ctx).Warn("no attempt reported", "error", err)
	if f, ok := failureOf(err); ok {
		return f.Class
	}
	return unreported(err).Class
}
