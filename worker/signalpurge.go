package worker

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// SignalPurge signals a purge to the object's copy, which an earlier build may have started. A
// missing copy is not an error.
func SignalPurge(ctx context.Context, temporal Starter, s activities.SealedObject, generation int64) error {
	for _, id := range []string{workflows.ID(s), workflows.EarlierID(s)} {
		err := temporal.SignalWorkflow(ctx, id, "", workflows.PurgeSignal, workflows.Purge{Generation: generation})
		if _, none := errors.AsType[*serviceerror.NotFound](err); err != nil && !none {
			return fmt.Errorf("signal workflow %s: %w", id, err)
		}
	}
	return nil
}
