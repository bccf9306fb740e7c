package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// SweepInterval is how often a pool's uploads are swept.
const SweepInterval = time.Hour

// SweepAge is how old an upload is before a sweep looks at it. Its workflow is listed by then: Temporal's lists lag behind.
const SweepAge = time.Hour

// SweepID is the id of a pool's sweep, and of its schedule.
func SweepID(pool string) string { return "sweep-" + pool }

// SweepUploads aborts multipart uploads that no running copy owns. A schedule starts it.
func SweepUploads(ctx workflow.Context, in activities.SweepInput) (out activities.SweepResult, err error) {
	var a *activities.Activities // only for its methods' names
	err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, sweepOptions()), a.SweepUploads, in).Get(ctx, &out)
	return out, err
}
