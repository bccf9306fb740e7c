package workflows

import (
	"strconv"

	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

// PurgeCopyInput is the input of [PurgeCopy].
type PurgeCopyInput struct {
	Source activities.SealedObject `json:"source"`
	// Generation is the first generation of the purge; 0 if redis was down.
	Generation int64 `json:"generation,omitempty"`
	// Copy is the workflow id of the object's copy.
	Copy string `json:"copy"`
}

// PurgeID returns the workflow id of a purge. Each purge of an object is a workflow, because a
// later purge also deletes copies that the earlier purge leaves. A purge without a generation
// shares its id with the others of the outage, and replaces their open run. So the id has the whole
// hash: another object's purge must not replace this one.
func PurgeID(s activities.SealedObject, generation int64) string {
	return "purge/" + strconv.FormatInt(generation, 10) + "/" + copyid.Earlier(s.Pool(), s.URL, s.Hash)
}

// PurgeCopy finishes a purge that failed halfway, however long redis and the bucket are down. Then
// it ends the object's running copy, as the front end does after a purge.
func PurgeCopy(ctx workflow.Context, in PurgeCopyInput) (out activities.PurgeResult, _ error) {
	var a *activities.Activities // Only for the names of its methods
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, purgeCopyOptions(in.Source)), a.PurgeCopy,
		activities.PurgeInput{Source: in.Source, Generation: in.Generation}).Get(ctx, &out)
	if err != nil || out.Replaced {
		return out, err
	}
	err = workflow.SignalExternalWorkflow(ctx, in.Copy, "", PurgeSignal, Purge{Generation: out.Generation}).Get(ctx, nil)
	if err != nil { // Usually there is no running copy
		workflow.GetLogger(ctx).Debug("no running copy ended by a purge", "error", err)
	}
	return out, nil
}
