package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// Lister is what it takes of a Temporal client to find workflows.
type Lister interface {
	ListWorkflow(ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Owners tells from Temporal's list of workflows which copies are running; it implements activities.Owners.
type Owners struct {
	Temporal  Lister
	Namespace string
}

// Running returns the hashes of the pool's objects that a running workflow copies.
func (o Owners) Running(ctx context.Context, pool string) (map[string]bool, error) {
	running := map[string]bool{}
	r := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: o.Namespace,
		Query:     fmt.Sprintf("TaskQueue = '%s' AND ExecutionStatus = 'Running'", workflows.TaskQueue(pool)),
	}
	for {
		page, err := o.Temporal.ListWorkflow(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("list workflows: %w", err)
		}
		for _, w := range page.GetExecutions() {
			id := w.GetExecution().GetWorkflowId()
			running[id[strings.LastIndex(id, "/")+1:]] = true
		}
		if r.NextPageToken = page.GetNextPageToken(); len(r.NextPageToken) == 0 {
			return running, nil
		}
	}
}

// SetupSweeps makes a schedule for each pool that sweeps its bucket, and says what it did in lines for a person. A
// schedule that is there is left as it is, paused or not. With dryRun it changes nothing and says what it would do.
func SetupSweeps(ctx context.Context, c client.ScheduleClient, pools []string, dryRun bool) (lines []string, err error) {
	for _, pool := range pools {
		id := workflows.SweepID(pool)
		title := "Temporal schedule " + id + ": "
		_, err := c.GetHandle(ctx, id).Describe(ctx)
		_, missing := errors.AsType[*serviceerror.NotFound](err)
		switch {
		case err == nil:
			lines = append(lines, title+"is there")
			continue
		case !missing:
			return lines, fmt.Errorf("schedule %s: %w", id, err)
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
			Args:          []any{activities.SweepInput{OlderThan: workflows.SweepAge}},
			TaskQueue:     workflows.TaskQueue(pool),
			StaticSummary: "abort uploads of " + pool + " that no running copy owns",
		},
	}
}
