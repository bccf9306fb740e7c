package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// temporalDouble is a Temporal client with failures that a real server can't be made to produce.
type temporalDouble struct {
	start   func(o client.StartWorkflowOptions, input workflows.CopyObjectInput) error
	cancel  func(id, run string) error
	started []client.StartWorkflowOptions
	running *workflow.WorkflowExecutionInfo // nil means none
}

func (d *temporalDouble) DescribeWorkflowExecution(
	context.Context, string, string,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if d.running == nil {
		return nil, serviceerror.NewNotFound("no workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: d.running}, nil
}

func (d *temporalDouble) ExecuteWorkflow(
	_ context.Context, o client.StartWorkflowOptions, _ any, args ...any,
) (client.WorkflowRun, error) {
	d.started = append(d.started, o)
	return nil, d.start(o, args[0].(workflows.CopyObjectInput))
}

func (d *temporalDouble) CancelWorkflow(_ context.Context, id, run string) error {
	return d.cancel(id, run)
}

func newBridge(t *testing.T, d *temporalDouble) (*worker.Bridge, *int) {
	t.Helper()
	sealer, err := activities.NewSealer([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	require.NoError(t, err)
	waited := new(int)
	return &worker.Bridge{
		Temporal: d, Sealer: sealer,
		Admit: func(url string) (string, error) {
			if strings.HasPrefix(url, "https://evil") {
				return "", errors.New("not allowed")
			}
			return url, nil
		},
		Pools:   map[string]storage.Pool{"s3_us-west-2": {Service: "s3", Region: "us-west-2"}},
		Waiting: func(error) { *waited++ },
	}, waited
}

func request(action queue.Action) queue.Request {
	return queue.Request{Pool: "s3_us-west-2", URL: "https://example.com/a.zip?sig=secret", Action: action}
}

func TestPutStartsAWorkflowWithoutSecrets(t *testing.T) {
	d := &temporalDouble{start: func(_ client.StartWorkflowOptions, in workflows.CopyObjectInput) error {
		data, err := json.Marshal(in)
		require.NoError(t, err)
		require.NotContains(t, string(data), "secret")
		return nil
	}}
	b, _ := newBridge(t, d)
	require.NoError(t, b.Handle(t.Context(), request(queue.Put)))
	require.Len(t, d.started, 1)
	o := d.started[0]
	require.Equal(t, "copy-s3_us-west-2", o.TaskQueue)
	require.True(t, strings.HasPrefix(o.ID, "s3_us-west-2/example.com/a.zip/"), o.ID)
	require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, o.WorkflowIDConflictPolicy)
	require.Equal(t, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, o.WorkflowIDReusePolicy)
	require.NotContains(t, o.StaticSummary, "secret")
	host, _ := o.TypedSearchAttributes.GetKeyword(workflows.HostAttribute())
	require.Equal(t, "example.com", host)
}

func TestDigestIsPassedOn(t *testing.T) {
	for _, digest := range []string{"", strings.Repeat("0a", 32)} {
		d := &temporalDouble{start: func(_ client.StartWorkflowOptions, in workflows.CopyObjectInput) error {
			require.Equal(t, digest, in.SHA256)
			return nil
		}}
		b, _ := newBridge(t, d)
		r := request(queue.Put)
		r.SHA256 = digest
		require.NoError(t, b.Handle(t.Context(), r))
		require.Len(t, d.started, 1)
	}
}

func TestPriorityIsPassedOn(t *testing.T) {
	for priority, key := range map[queue.Priority]int{"": 0, queue.Low: 5} {
		d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { return nil }}
		b, _ := newBridge(t, d)
		r := request(queue.Put)
		r.Priority = priority
		require.NoError(t, b.Handle(t.Context(), r))
		require.Equal(t, key, d.started[0].Priority.PriorityKey)
	}
}

func TestRequestIsRetriedWhileTemporalIsUnavailable(t *testing.T) {
	failures := 3
	d := &temporalDouble{}
	d.start = func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
		if failures--; failures >= 0 {
			return serviceerror.NewUnavailable("unavailable")
		}
		return nil
	}
	b, waited := newBridge(t, d)
	require.NoError(t, b.Handle(t.Context(), request(queue.Put)))
	require.Equal(t, 3, *waited)
	require.Len(t, d.started, 4)
}

func TestStoppedBridgeReturnsTheRequestToTheQueue(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
		cancel()
		return serviceerror.NewUnavailable("unavailable")
	}}
	b, _ := newBridge(t, d)
	err := b.Handle(ctx, request(queue.Put))
	require.Error(t, err)
	var reject *queue.RejectError
	require.NotErrorAs(t, err, &reject)
}

func TestInvalidRequestsAreRejected(t *testing.T) {
	d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
		return serviceerror.NewInvalidArgument("no")
	}}
	b, _ := newBridge(t, d)
	evil := queue.Request{Pool: "s3_us-west-2", URL: "https://evil.example/?sig=secret", Action: queue.Put}
	unknown := queue.Request{Pool: "s3_mars-1", URL: "https://example.com/", Action: queue.Put}
	for name, r := range map[string]queue.Request{"Temporal": request(queue.Put), "URL": evil, "pool": unknown} {
		t.Run(name, func(t *testing.T) {
			var reject *queue.RejectError
			require.ErrorAs(t, b.Handle(t.Context(), r), &reject)
			require.NotContains(t, reject.Reason, "secret")
		})
	}
}

func TestCancel(t *testing.T) {
	purged := time.Now()
	run := func(status enums.WorkflowExecutionStatus, started time.Time) *workflow.WorkflowExecutionInfo {
		return &workflow.WorkflowExecutionInfo{
			Status: status, StartTime: timestamppb.New(started), Execution: &common.WorkflowExecution{RunId: "the run"},
		}
	}
	const running, completed = enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	for name, tc := range map[string]struct {
		run        *workflow.WorkflowExecutionInfo
		generation int64
		cancelled  bool
	}{
		"a copy that started before it":              {run(running, purged.Add(-time.Second)), purged.UnixMilli(), true},
		"a copy that started after it":               {run(running, purged.Add(time.Second)), purged.UnixMilli(), false},
		"any copy, if the message has no generation": {run(running, purged.Add(time.Second)), 0, true},
		"a completed copy":                           {run(completed, purged.Add(-time.Second)), purged.UnixMilli(), false},
		"no copy, the usual case":                    {nil, purged.UnixMilli(), false},
	} {
		t.Run(name, func(t *testing.T) {
			cancelled := false
			d := &temporalDouble{running: tc.run, cancel: func(id, run string) error {
				require.True(t, strings.HasPrefix(id, "s3_us-west-2/example.com/a.zip/"))
				require.Equal(t, "the run", run)
				cancelled = true
				return nil
			}}
			b, _ := newBridge(t, d)
			r := request(queue.Cancel)
			r.Generation = tc.generation
			require.NoError(t, b.Handle(t.Context(), r))
			require.Equal(t, tc.cancelled, cancelled)
		})
	}
}
