package worker

import (
	"context"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
)

// RequestIDMemo is the key of the request's id in a workflow's memo.
const RequestIDMemo = "RequestID"

// requestIDHeader is the key of the request's id in Temporal's headers.
const requestIDHeader = "request-id"

// memo returns the memo of a workflow that starts for the request of ctx.
func memo(ctx context.Context) map[string]any {
	if id := requestid.From(ctx); id != "" {
		return map[string]any{RequestIDMemo: id}
	}
	return nil
}

// requestIDs carries the id of a request from the bridge to a workflow and its activities, in
// headers. A header changes no command. One that can't be read is ignored.
type requestIDs struct{ payloads converter.DataConverter }

var _ workflow.ContextPropagator = requestIDs{}

// workflowIDKey is the key of the id in the context of a workflow.
type workflowIDKey struct{}

func idOf(ctx workflow.Context) string {
	id, _ := ctx.Value(workflowIDKey{}).(string)
	return id
}

// Inject is [workflow.ContextPropagator.Inject].
func (p requestIDs) Inject(ctx context.Context, w workflow.HeaderWriter) error {
	return p.write(requestid.From(ctx), w)
}

// InjectFromWorkflow is [workflow.ContextPropagator.InjectFromWorkflow].
func (p requestIDs) InjectFromWorkflow(ctx workflow.Context, w workflow.HeaderWriter) error {
	return p.write(idOf(ctx), w)
}

// Extract is [workflow.ContextPropagator.Extract].
func (p requestIDs) Extract(ctx context.Context, r workflow.HeaderReader) (context.Context, error) {
	return requestid.With(ctx, p.read(r)), nil
}

// ExtractToWorkflow is [workflow.ContextPropagator.ExtractToWorkflow].
func (p requestIDs) ExtractToWorkflow(ctx workflow.Context, r workflow.HeaderReader) (workflow.Context, error) {
	if id := p.read(r); id != "" {
		ctx = workflow.WithValue(ctx, workflowIDKey{}, id)
	}
	return ctx, nil
}

func (p requestIDs) write(id string, w workflow.HeaderWriter) error {
	if id == "" {
		return nil
	}
	payload, err := p.payloads.ToPayload(id)
	if err != nil {
		return err
	}
	w.Set(requestIDHeader, payload)
	return nil
}

func (p requestIDs) read(r workflow.HeaderReader) (id string) {
	payload, ok := r.Get(requestIDHeader)
	if !ok || p.payloads.FromPayload(payload, &id) != nil || !requestid.Valid(id) {
		return ""
	}
	return id
}

// identifiedLogs adds the id of the request to the log lines of workflows and activities.
type identifiedLogs struct {
	interceptor.WorkerInterceptorBase
}

var _ interceptor.WorkerInterceptor = (*identifiedLogs)(nil)

// InterceptActivity is [interceptor.WorkerInterceptor.InterceptActivity].
func (*identifiedLogs) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &identifiedActivity{interceptor.ActivityInboundInterceptorBase{Next: next}}
}

// InterceptWorkflow is [interceptor.WorkerInterceptor.InterceptWorkflow].
func (*identifiedLogs) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	return &identifiedWorkflow{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type identifiedActivity struct {
	interceptor.ActivityInboundInterceptorBase
}

func (a *identifiedActivity) Init(out interceptor.ActivityOutboundInterceptor) error {
	return a.Next.Init(&activityLogs{interceptor.ActivityOutboundInterceptorBase{Next: out}})
}

type activityLogs struct {
	interceptor.ActivityOutboundInterceptorBase
}

func (l *activityLogs) GetLogger(ctx context.Context) log.Logger {
	return withID(l.Next.GetLogger(ctx), requestid.From(ctx))
}

type identifiedWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (w *identifiedWorkflow) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return w.Next.Init(&workflowLogs{interceptor.WorkflowOutboundInterceptorBase{Next: out}})
}

type workflowLogs struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (l *workflowLogs) GetLogger(ctx workflow.Context) log.Logger {
	return withID(l.Next.GetLogger(ctx), idOf(ctx))
}

func withID(l log.Logger, id string) log.Logger {
	if id == "" {
		return l
	}
	return log.With(l, requestid.Field, id)
}
