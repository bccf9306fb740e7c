package worker

import (
	"context"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

// Lister is the part of a Temporal client that lists workflows.
type Lister interface {
	// ListWorkflow returns one page of the workflows that match r's query. A next-page token in the
	// response means that more pages follow.
	ListWorkflow(
		ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest,
	) (*workflowservice.ListWorkflowExecutionsResponse, error)
	// DescribeWorkflowExecution describes a run; an empty run means the latest.
	DescribeWorkflowExecution(
		ctx context.Context, id, run string,
	) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// Owners finds the running copies in Temporal's list of workflows.
type Owners struct {
	Temporal  Lister
	Namespace string
}

var _ activities.Owners = Owners{}

// Running returns the short hashes of those objects of the pool that a running workflow copies or
// refreshes; see [copyid.Short].
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
			running[copyid.Hash(w.GetExecution().GetWorkflowId())] = true
		}
		if r.NextPageToken = page.GetNextPageToken(); len(r.NextPageToken) == 0 {
			return running, nil
		}
	}
}

// Terminated reports whether the run was terminated, and is the last one of its workflow. A
// workflow that was reset has another run.
func (o Owners) Terminated(ctx context.Context, workflow, run string) (bool, error) {
	out, err := o.Temporal.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return false, fmt.Errorf("describe workflow %s: %w", workflow, err)
	}
	info := out.GetWorkflowExecutionInfo()
	return info.GetExecution().GetRunId() == run && info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil
}
