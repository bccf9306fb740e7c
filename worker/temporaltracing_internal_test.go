package worker

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
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
