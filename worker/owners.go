package worker

import (
	"context"
	"fmt"
	"strings"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// Lister is the part of a Temporal client that lists workflows.
type Lister interface {
	// ListWorkflow returns one page of the workflows that match r's query. A next-page token in the
	// response means that more pages follow.
	ListWorkflow(
		ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest,
	) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Owners finds the running copies in Temporal's list of workflows.
type Owners struct {
	Temporal  Lister
	Namespace string
}

var _ activities.Owners = Owners{}

// Running returns the hashes of those objects of the pool that a running workflow copies.
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
