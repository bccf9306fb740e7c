package worker

import (
	"context"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// StartCopy starts the workflow of an object's copy. If the copy is running, the error is a
// [*serviceerror.WorkflowExecutionAlreadyStarted]. With eager set, a worker of this process may run
// the first workflow task at once. The memo has the request's id of ctx.
func StartCopy(ctx context.Context, temporal Starter, in workflows.CopyObjectInput, eager bool) error {
	s := in.Source
	_, err := temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.ID(s),
		TaskQueue:                workflows.TaskQueue(s.Pool()),
		WorkflowTaskTimeout:      workflows.TaskTimeout,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		// Otherwise the client hides the conflict.
		WorkflowExecutionErrorWhenAlreadyStarted: true,

		EnableEagerStart:      eager,
		TypedSearchAttributes: workflows.Attributes(s),
		StaticSummary:         workflows.Summary(s),
		StaticDetails:         workflows.Details(s),
		Memo:                  memo(ctx),
		Priority:              workflows.Priority(false, workflows.Host(s)), // Only activities rank low
	}, workflows.CopyObject, in)
	return err
}
