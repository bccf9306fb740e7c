package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// SweepInterval is how often a pool's uploads are swept.
const SweepInterval = time.Hour

// SweepAge is the least age of an upload that a sweep aborts. Temporal's list of workflows lags
// behind, and has the upload's workflow by then.
const SweepAge = time.Hour

// SweepTimeout bounds a sweep. A run that no worker can continue would otherwise block all later ones.
// It is longer than one attempt, so that an attempt which lost its worker is repeated.
const SweepTimeout = 2 * time.Hour

// SweepID returns the workflow id of a pool's sweep, which is also the id of its schedule.
func SweepID(pool string) string { return "sweep-" + pool }

// SweepUploads aborts multipart uploads that no running copy owns. A schedule starts it.
func SweepUploads(ctx workflow.Context, in activities.SweepInput) (out activities.SweepResult, err error) {
	var a *activities.Activities // Only for the names of its methods
	err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, sweepOptions()), a.SweepUploads, in).Get(ctx, &out)
	return out, err
}
