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

// Times of the bridge's calls to Temporal: the limit of one attempt, and the pauses between
// attempts.
const (
	startTimeout = 10 * time.Second
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 10 * time.Second
)

// Starter is the part of a Temporal client that the bridge needs. Its errors are those of the
// service (package serviceerror).
type Starter interface {
	// ExecuteWorkflow starts the workflow. It returns once Temporal has durably accepted it.
	ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, w any, args ...any) (client.WorkflowRun, error)
	// DescribeWorkflowExecution describes a run; an empty run means the latest. If the workflow
	// does not exist, it fails with NotFound.
	DescribeWorkflowExecution(
		ctx context.Context, id, run string,
	) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	// CancelWorkflow requests the cancellation of one run.
	CancelWorkflow(ctx context.Context, workflowID, runID string) error
}

// Bridge turns copy requests into workflows. All fields are required.
type Bridge struct {
	Temporal Starter
	Sealer   *activities.Sealer
	// Admit returns the canonical form of a source's URL, or an error if the URL is not allowed.
	Admit func(url string) (string, error)
	// Pools are all configured pools, by id. Any bridge starts copies into any of them.
	Pools map[string]storage.Pool
	// Waiting receives the error of each attempt that Temporal did not accept. The bridge then
	// retries.
	Waiting func(error)
}

// Handle fulfils the request. It retries until Temporal has durably accepted it, however long that
// takes; ctx ends the attempt. A request that can never be fulfilled is a [*queue.RejectError].
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

// apply makes one attempt to fulfil the request, of startTimeout at most.
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

// cancelWorkflow cancels the object's copy if it started before the purge. A missing copy is not an
// error.
func (b *Bridge) cancelWorkflow(ctx context.Context, s activities.SealedObject, generation int64) error {
	id := workflows.ID(s)
	err := b.cancelRun(ctx, id, generation)
	if _, none := errors.AsType[*serviceerror.NotFound](err); err != nil && !none {
		return fmt.Errorf("cancel workflow %s: %w", id, err)
	}
	return nil
}

// cancelRun cancels the workflow's latest run if it started before the purge. Messages arrive late
// and twice, and a copy that was requested after the purge must stay.
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
