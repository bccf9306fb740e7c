package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// Times of the bridge's calls to Temporal.
const (
	startTimeout = 10 * time.Second
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 10 * time.Second
)

// Starter is what the bridge needs of a Temporal client.
type Starter interface {
	ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, w any, args ...any) (client.WorkflowRun, error)
	DescribeWorkflowExecution(ctx context.Context, id, run string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	CancelWorkflow(ctx context.Context, workflowID, runID string) error
}

// Bridge turns copy requests into workflows.
type Bridge struct {
	Temporal Starter
	Sealer   *activities.Sealer
	// Admit returns the canonical form of a source's URL, or why it is not allowed.
	Admit func(url string) (string, error)
	// Pools are all that are configured, by id; any bridge starts copies into any of them.
	Pools map[string]storage.Pool
	// Waiting is told that Temporal does not take a request; it is tried again.
	Waiting func(error)
}

// Handle does what the request asks for. It returns when Temporal has durably accepted it, however long that takes; ctx
// ends the attempt. Requests that can never be done are [*queue.RejectError].
func (b *Bridge) Handle(ctx context.Context, r queue.Request) error {
	pool, ok := b.Pools[r.Pool]
	if !ok {
		return &queue.RejectError{Reason: fmt.Sprintf("data.id: no pool %.80q", r.Pool)}
	}
	url, err := b.Admit(r.URL)
	if err != nil {
		return &queue.RejectError{Reason: "data.url: " + err.Error()}
	}
	source := b.Sealer.Seal(storage.Object{Service: pool.Service, Region: pool.Region, URL: url})
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := b.apply(ctx, r, source)
		var invalid *serviceerror.InvalidArgument
		switch {
		case err == nil:
			return nil
		case errors.As(err, &invalid):
			return &queue.RejectError{Reason: invalid.Error()}
		case ctx.Err() != nil:
			return err
		}
		b.Waiting(err)
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
	}
}

// apply makes one attempt at the request, of startTimeout at most.
func (b *Bridge) apply(ctx context.Context, r queue.Request, s activities.SealedObject) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if r.Action == queue.Cancel {
		return b.cancelWorkflow(ctx, s, r.Generation)
	}
	return b.startWorkflow(ctx, r, s)
}

// startWorkflow starts the object's copy unless it is running.
func (b *Bridge) startWorkflow(ctx context.Context, r queue.Request, s activities.SealedObject) error {
	id := workflows.ID(s)
	_, err := b.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                workflows.TaskQueue(s.Pool()),
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		EnableEagerStart:         true,
		TypedSearchAttributes:    workflows.Attributes(s),
		StaticSummary:            workflows.Summary(s),
		Priority:                 workflows.Priority(r.Priority == queue.Low),
	}, workflows.CopyObject, workflows.CopyObjectInput{Source: s, SHA256: r.SHA256})
	if err != nil {
		return fmt.Errorf("start workflow %s: %w", id, err)
	}
	return nil
}

// cancelWorkflow cancels the object's copy if it began before the purge. It is no error if there is none.
func (b *Bridge) cancelWorkflow(ctx context.Context, s activities.SealedObject, generation int64) error {
	id := workflows.ID(s)
	err := b.cancelRun(ctx, id, generation)
	if _, none := errors.AsType[*serviceerror.NotFound](err); err != nil && !none {
		return fmt.Errorf("cancel workflow %s: %w", id, err)
	}
	return nil
}

// cancelRun ends the object's copy if it began before the purge: messages come late and twice, and a copy that was asked for
// after the purge is not meant.
func (b *Bridge) cancelRun(ctx context.Context, id string, generation int64) error {
	run, err := b.Temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return err
	}
	info := run.GetWorkflowExecutionInfo()
	later := generation > 0 && info.GetStartTime().AsTime().UnixMilli() > generation
	if later || info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil
	}
	return b.Temporal.CancelWorkflow(ctx, id, info.GetExecution().GetRunId())
}
