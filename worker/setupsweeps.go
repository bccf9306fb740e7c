package worker

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// SetupSweeps creates a schedule for each pool that sweeps its bucket. It leaves an existing
// schedule unchanged, paused or not. It returns a line for each schedule, for people to read. With
// dryRun it changes nothing and returns the changes that it would make.
func SetupSweeps(
	ctx context.Context, c client.ScheduleClient, pools []string, dryRun bool,
) (lines []string, err error) {
	for _, pool := range pools {
		id := workflows.SweepID(pool)
		title := "Temporal schedule " + id + ": "
		_, err := c.GetHandle(ctx, id).Describe(ctx)
		_, missing := errors.AsType[*serviceerror.NotFound](err)
		switch {
		case err == nil:
			lines = append(lines, title+"exists")
			continue
		case !missing:
			return lines, fmt.Errorf("describe schedule %s: %w", id, err)
		case dryRun:
			lines = append(lines, title+"would create it")
			continue
		}
		_, err = c.Create(ctx, sweepOptions(id, pool))
		if err != nil && !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
			return lines, fmt.Errorf("create schedule %s: %w", id, err)
		}
		lines = append(lines, title+"created, every "+workflows.SweepInterval.String())
	}
	return lines, nil
}

func sweepOptions(id, pool string) client.ScheduleOptions {
	return client.ScheduleOptions{
		ID:   id,
		Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: workflows.SweepInterval}}},
		Action: &client.ScheduleWorkflowAction{
			ID:            id,
			Workflow:      workflows.SweepUploads,
			Args:          []any{activities.SweepInput{Pool: pool, OlderThan: workflows.SweepAge}},
			TaskQueue:     workflows.TaskQueue(pool),
			StaticSummary: "abort uploads of " + pool + " that no running copy owns",
		},
	}
}
