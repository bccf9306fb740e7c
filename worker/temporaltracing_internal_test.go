package worker

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestRecordedHistoriesReplayWithTraces replays all histories, which have no headers, with the
// interceptors for ids and traces. None of them changes a command.
func TestRecordedHistoriesReplayWithTraces(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	traced, err := newTracingInterceptor(provider.Tracer("test"))
	require.NoError(t, err)
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		ContextPropagators: []workflow.ContextPropagator{requestIDs{converter.GetDefaultDataConverter()}},
		Interceptors:       []interceptor.WorkerInterceptor{traced, &identifiedLogs{}},
	})
	require.NoError(t, err)
	r.RegisterWorkflow(workflows.CopyObject)
	r.RegisterWorkflow(workflows.SweepUploads)
	r.RegisterWorkflow(workflows.AuditCopy)
	r.RegisterWorkflow(workflows.RefreshCopy)
	r.RegisterWorkflow(workflows.PurgeCopy)
	files, err := filepath.Glob("../workflows/testdata/*/*.json")
	require.NoError(t, err)
	require.Greater(t, len(files), 50)
	for _, file := range files {
		require.NoError(t, r.ReplayWorkflowHistoryFromJSONFile(nil, file), file)
	}
	require.Empty(t, spans.Started(), "a workflow without a trace starts none")
}

func TestNoTracerMakesNoInterceptor(t *testing.T) {
	var o client.Options
	off, err := Tracing(nil)
	require.NoError(t, err)
	off(&o)
	require.Empty(t, o.Interceptors)
	on, err := Tracing(sdktrace.NewTracerProvider().Tracer("test"))
	require.NoError(t, err)
	on(&o)
	require.Len(t, o.Interceptors, 1)
}

// TestSpansHaveNoErrorText has an activity and its workflow fail in a trace. Their spans have the
// class of the failure only.
func TestSpansHaveNoErrorText(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	traced, err := newTracingInterceptor(provider.Tracer("test"))
	require.NoError(t, err)
	parent, err := converter.GetDefaultDataConverter().ToPayload(map[string]string{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	})
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	suite.SetHeader(&common.Header{Fields: map[string]*common.Payload{"_tracer-data": parent}})
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{traced}})
	fails := func(context.Context) error {
		return temporal.NewNonRetryableApplicationError("dial 10.0.0.7", "SourceUnreachable", nil)
	}
	env.RegisterActivityWithOptions(fails, activity.RegisterOptions{Name: "fails"})
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		return workflow.ExecuteActivity(ctx, "fails").Get(ctx, nil)
	})
	require.ErrorContains(t, env.GetWorkflowError(), "10.0.0.7", "control")
	failed := 0
	for _, s := range spans.Ended() {
		require.Empty(t, s.Status().Description, s.Name())
		require.Empty(t, s.Events(), s.Name())
		if s.Status().Code == codes.Error {
			failed++
			require.Contains(t, s.Attributes(), attribute.String("error.type", "SourceUnreachable"), s.Name())
		}
	}
	require.Equal(t, 2, failed, "the spans of the workflow and the activity")
}
