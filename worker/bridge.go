package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/worker/window"
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
	// DescribeWorkflowExecution describes a run. If the run does not exist, it fails with NotFound.
	DescribeWorkflowExecution(
		ctx context.Context, id, run string,
	) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	// SignalWorkflow sends a signal to a run; an empty run means the latest. If no such run is
	// open, it fails with NotFound.
	SignalWorkflow(ctx context.Context, id, run, signal string, arg any) error
	// GetWorkflowHistory iterates over the events of a run.
	GetWorkflowHistory(
		ctx context.Context, id, run string, wait bool, filter enums.HistoryEventFilterType,
	) client.HistoryEventIterator
	// TerminateWorkflow ends a run. If the run is not open, it fails with NotFound.
	TerminateWorkflow(ctx context.Context, id, run, reason string, details ...any) error
}

// Bridge turns copy requests into workflows. All fields are required. The contexts of the callbacks
// have the id of the request; see package requestid.
type Bridge struct {
	Temporal Starter
	Sealer   *seal.Sealer
	// Payloads decodes the payloads of activities; see [Dial].
	Payloads converter.DataConverter
	// Admit returns the canonical form of a source's URL, or an error if the URL is not allowed.
	Admit func(url string) (string, error)
	// Pools are all configured pools, by id. Any bridge starts copies into any of them.
	Pools map[string]storage.Pool
	// Spaces are the key spaces of the pools' buckets, by the pool's id.
	Spaces map[string]cache.Space
	// Entries and Changes are the cache, which tells the bridge that a copy has ended, and who ended it.
	Entries Entries
	Changes Changes
	// Bypassed reports whether an operator has switched off copies of a source into a pool. Nil is
	// never.
	Bypassed func(pool, url string) bool
	// Waiting receives the error of each attempt that Temporal did not accept. The bridge then
	// retries.
	Waiting func(context.Context, error)
	// Stuck receives the pool and the workflow id of each run that the bridge ended because it made
	// no progress; see [Bridge.stuck].
	Stuck func(ctx context.Context, pool, id string)
	// Joined receives the pool and the workflow id of each running copy that a request has joined.
	Joined func(ctx context.Context, pool, id string)
	Now    func() time.Time
	// Lazy leaves the first workflow task to Temporal, which knows the current version of a Worker
	// Deployment. An eager one runs on this process's version.
	Lazy bool

	window window.Window
}

// Window returns how many copies the bridge may have in flight now; see [Bridge.Ended].
func (b *Bridge) Window() int { return b.window.Limit() }

// Handle fulfils the request. It retries until Temporal has durably accepted it, however long that
// takes; ctx ends the attempt. A request that can never be fulfilled is a [*queue.RejectError].
// After Handle the request is in flight until [Bridge.Ended] returns, which must be called once.
func (b *Bridge) Handle(ctx context.Context, r queue.Request) error {
	if !r.Purges() {
		b.window.Enter()
	}
	ctx = requestid.With(ctx, r.RequestID)
	if _, ok := b.Pools[r.Pool]; !ok {
		return &queue.RejectError{Reason: "data.id is not the id of a configured pool"} // It may hold anything.
	}
	if limit := b.Now().Add(cache.MaxAhead).UnixMilli(); r.Generation < 0 || r.Generation > limit {
		return &queue.RejectError{Reason: "data.generation is negative, or in the future"}
	}
	object, err := b.object(r)
	if err != nil {
		return err
	}
	if b.bypasses(r, object) || b.endedByOperator(ctx, r, object) {
		return nil // Its clients get the source.
	}
	source := b.Sealer.Seal(object)
	source.Bucket = b.Spaces[r.Pool].Bucket()
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := b.apply(ctx, r, source)
		var invalid *serviceerror.InvalidArgument
		switch {
		case err == nil:
			return nil
		case errors.As(err, &invalid) && !attributesUnknown(invalid):
			return &queue.RejectError{Reason: invalid.Error()}
		case ctx.Err() != nil:
			return err
		}
		b.window.Refused()
		b.Waiting(ctx, err)
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
	}
}

// bypasses reports whether a request is dropped because its copies are switched off.
func (b *Bridge) bypasses(r queue.Request, o storage.Object) bool {
	return !r.Purges() && b.Bypassed != nil && b.Bypassed(r.Pool, o.URL)
}

// endedByOperator reports whether a request is dropped because an operator has ended the copy since it
// was sent. If redis fails, the copy starts.
func (b *Bridge) endedByOperator(ctx context.Context, r queue.Request, o storage.Object) bool {
	if r.Action != queue.Put {
		return false
	}
	e, err := b.Entries.Get(ctx, b.Spaces[r.Pool].Key(o.Hash()))
	return err == nil && e.State == cache.Error && activities.EndedByOperator(e.Class)
}

// attributesUnknown reports whether Temporal does not know our search attributes. Its services read
// new attributes after seconds, and a worker runs only if they are registered; see [Worker.Run]. A
// message can't cause that.
func attributesUnknown(err *serviceerror.InvalidArgument) bool {
	text := err.Error()
	return strings.Contains(text, "no mapping defined for search attribute") ||
		strings.Contains(text, "search attribute") && strings.HasSuffix(text, "is not defined")
}

// object returns the object of a request, which must name a configured pool.
func (b *Bridge) object(r queue.Request) (storage.Object, error) {
	pool := b.Pools[r.Pool]
	url, err := b.open(pool, r)
	if err != nil {
		return storage.Object{}, err
	}
	if url, err = b.Admit(url); err != nil {
		return storage.Object{}, &queue.RejectError{Reason: "data.url: " + err.Error()}
	}
	return storage.Object{Service: pool.Service, Region: pool.Region, URL: url}, nil
}

// open returns the request's URL with its query, which may be sealed.
func (b *Bridge) open(pool storage.Pool, r queue.Request) (string, error) {
	if r.SealedQuery == "" {
		return r.URL, nil
	}
	object, err := b.Sealer.Open(seal.Object{
		Service: pool.Service, Region: pool.Region, URL: r.URL, Query: r.SealedQuery, Hash: r.Hash,
	})
	switch {
	case errors.Is(err, seal.ErrSealed):
		return "", &queue.RejectError{Reason: "data.sealedQuery: no key of source.query_keys opens it; " +
			"if it is a front end's, add that front end's key on every worker and redrive the message"}
	case err != nil:
		return "", &queue.RejectError{Reason: "data.hash: " + err.Error()}
	}
	return object.URL, nil
}

// apply makes one attempt to fulfil the request, of startTimeout at most.
func (b *Bridge) apply(ctx context.Context, r queue.Request, s activities.SealedObject) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	switch r.Action {
	case queue.Cancel:
		return SignalPurge(ctx, b.Temporal, s, r.Generation)
	case queue.Audit:
		return b.maintain(ctx, s, workflows.AuditID(s), workflows.AuditTimeout, workflows.AuditCopy, activities.AuditInput{Source: s})
	case queue.Refresh:
		return b.maintain(ctx, s, workflows.RefreshID(s), workflows.RefreshTimeout, workflows.RefreshCopy, activities.RefreshInput{Source: s})
	case queue.Delete:
		return b.finishPurge(ctx, s, r.Generation)
	case queue.Put:
	}
	return b.request(ctx, r, s)
}

// maintain starts an audit or a refresh of the object's copy, at low priority. A run of the same id
// that is open fulfils the request.
func (b *Bridge) maintain(
	ctx context.Context, s activities.SealedObject, id string, timeout time.Duration, workflow, input any,
) error {
	_, err := b.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                workflows.TaskQueue(s.Pool()),
		WorkflowExecutionTimeout: timeout,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		TypedSearchAttributes:    workflows.Attributes(s),
		StaticSummary:            workflows.Summary(s),
		Memo:                     memo(ctx),
		Priority:                 workflows.Priority(true, workflows.Host(s)),
	}, workflow, input)
	if err != nil {
		return fmt.Errorf("start workflow %s: %w", id, err)
	}
	return nil
}

// request starts the object's copy. If the copy is running, request signals that very run. A run
// that is about to close then copies the object again. If the run has closed meanwhile, request
// starts the copy. An earlier build may have started the running copy.
func (b *Bridge) request(ctx context.Context, r queue.Request, s activities.SealedObject) error {
	err := b.signal(ctx, workflows.EarlierID(s), "", r, s)
	if _, none := errors.AsType[*serviceerror.NotFound](err); !none {
		return err
	}
	id := workflows.ID(s)
	for {
		err := b.start(ctx, r, s)
		running, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
		if err != nil && !ok {
			return fmt.Errorf("start workflow %s: %w", id, err)
		}
		if err == nil {
			return nil
		}
		err = b.signal(ctx, id, running.RunId, r, s)
		if _, closed := errors.AsType[*serviceerror.NotFound](err); !closed {
			return err
		}
	}
}

func (b *Bridge) start(ctx context.Context, r queue.Request, s activities.SealedObject) error {
	begun := b.Now()
	err := StartCopy(ctx, b.Temporal, workflows.CopyObjectInput{
		Source: s, SHA256: r.SHA256, MinSize: r.MinSize, Low: r.Priority == queue.Low,
	}, !b.Lazy)
	if err == nil {
		now := b.Now()
		b.window.Started(now.Sub(begun), now)
	}
	return err
}

// signal passes the request to a running copy; an empty run is the latest. It terminates a run that
// is stuck, and returns NotFound.
func (b *Bridge) signal(ctx context.Context, id, run string, r queue.Request, s activities.SealedObject) error {
	request := workflows.Request{SHA256: r.SHA256, MinSize: r.MinSize, Low: r.Priority == queue.Low}
	out, err := b.Temporal.DescribeWorkflowExecution(ctx, id, run)
	if err != nil {
		return fmt.Errorf("describe workflow %s: %w", id, err)
	}
	stuck, err := b.stuck(ctx, id, run, out)
	if err != nil {
		return err
	}
	if stuck {
		if err := b.Temporal.TerminateWorkflow(ctx, id, run, stuckReason); err != nil {
			return fmt.Errorf("terminate workflow %s: %w", id, err)
		}
		b.Stuck(ctx, s.Pool(), id)
		return serviceerror.NewNotFound("the run was stuck")
	}
	request.Idle = !request.Low && b.idle(out)
	if err := b.Temporal.SignalWorkflow(ctx, id, run, workflows.RequestSignal, request); err != nil {
		return fmt.Errorf("signal workflow %s: %w", id, err)
	}
	b.Joined(ctx, s.Pool(), id)
	return nil
}

// idle reports whether the workflow's activity is idle; see [activities.Progress.Idle].
func (b *Bridge) idle(out *workflowservice.DescribeWorkflowExecutionResponse) bool {
	for _, a := range out.GetPendingActivities() {
		var p activities.Progress
		if d := a.GetHeartbeatDetails(); d != nil && b.Payloads.FromPayloads(d, &p) != nil {
			return false
		}
		if !p.Idle() {
			return false
		}
	}
	return true
}

// finishPurge starts the workflow that finishes a purge. A run of the same generation that is open,
// or has completed, fulfils the request. Without a generation, an open run may be of an earlier
// purge: the new run replaces it, and fulfils both.
func (b *Bridge) finishPurge(ctx context.Context, s activities.SealedObject, generation int64) error {
	id := workflows.PurgeID(s, generation)
	reuse, conflict := enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	if generation == 0 {
		reuse, conflict = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	}
	_, err := b.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                workflows.TaskQueue(s.Pool()),
		WorkflowIDConflictPolicy: conflict,
		WorkflowIDReusePolicy:    reuse,
		TypedSearchAttributes:    workflows.Attributes(s),
		StaticSummary:            workflows.Summary(s),
		Memo:                     memo(ctx),
		Priority:                 workflows.Priority(false, workflows.Host(s)),
	}, workflows.PurgeCopy, workflows.PurgeCopyInput{Source: s, Generation: generation, Copy: workflows.ID(s)})
	if _, completed := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); err != nil && !completed {
		return fmt.Errorf("start workflow %s: %w", id, err)
	}
	return nil
}
