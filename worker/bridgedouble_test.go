package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// temporalDouble is a Temporal client with failures that a real server can't be made to produce.
type temporalDouble struct {
	start       func(o client.StartWorkflowOptions, input workflows.CopyObjectInput) error
	signal      func(id, run, name string, arg any) error
	started     []client.StartWorkflowOptions
	pending     *workflow.PendingActivityInfo // Of the running copy
	task        *workflow.PendingWorkflowTaskInfo
	history     []enums.EventType
	terminate   func(id, run string) error
	maintained  []any // The inputs of audits, refreshes and purges
	maintainErr error
	stuck       int
	// earlier receives the signals to a running copy that an earlier build started. Nil means that
	// no such copy exists.
	earlier func(id, name string, arg any) error
}

// ofEarlier reports whether a build before 2026-11-27 formed the id.
func ofEarlier(id string) bool { return len(id)-strings.LastIndexByte(id, '/') > 64 }

func (d *temporalDouble) DescribeWorkflowExecution(
	_ context.Context, id, _ string,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if ofEarlier(id) && d.earlier == nil {
		return nil, serviceerror.NewNotFound("workflow not found")
	}
	out := &workflowservice.DescribeWorkflowExecutionResponse{PendingWorkflowTask: d.task}
	if d.pending != nil {
		out.PendingActivities = append(out.PendingActivities, d.pending)
	}
	return out, nil
}

func (d *temporalDouble) ExecuteWorkflow(
	_ context.Context, o client.StartWorkflowOptions, _ any, args ...any,
) (client.WorkflowRun, error) {
	d.started = append(d.started, o)
	in, ok := args[0].(workflows.CopyObjectInput)
	if !ok {
		d.maintained = append(d.maintained, args[0])
		return nil, d.maintainErr
	}
	return nil, d.start(o, in)
}

func (d *temporalDouble) TerminateWorkflow(_ context.Context, id, run, _ string, _ ...any) error {
	return d.terminate(id, run)
}

func (d *temporalDouble) GetWorkflowHistory(
	context.Context, string, string, bool, enums.HistoryEventFilterType,
) client.HistoryEventIterator {
	return &eventIterator{d.history}
}

// eventIterator iterates over events of these types.
type eventIterator struct{ types []enums.EventType }

func (i *eventIterator) HasNext() bool { return len(i.types) > 0 }

func (i *eventIterator) Next() (*history.HistoryEvent, error) {
	e := &history.HistoryEvent{EventType: i.types[0]}
	i.types = i.types[1:]
	return e, nil
}

func (d *temporalDouble) SignalWorkflow(_ context.Context, id, run, name string, arg any) error {
	switch {
	case !ofEarlier(id):
		return d.signal(id, run, name, arg)
	case d.earlier == nil:
		return serviceerror.NewNotFound("workflow not found")
	}
	return d.earlier(id, name, arg)
}

func newBridge(t *testing.T, d *temporalDouble) (*worker.Bridge, *int) {
	t.Helper()
	sealer, err := seal.New([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	require.NoError(t, err)
	waited := new(int)
	return &worker.Bridge{
		Temporal: d, Sealer: sealer, Payloads: encrypting(t),
		Admit: func(url string) (string, error) {
			if strings.HasPrefix(url, "https://evil") {
				return "", errors.New("not allowed")
			}
			return url, nil
		},
		Pools:   map[string]storage.Pool{"s3_us-west-2": {Service: "s3", Region: "us-west-2"}},
		Spaces:  map[string]cache.Space{"s3_us-west-2": bucketSpace},
		Entries: &cachetest.Memory{},
		Waiting: func(context.Context, error) { *waited++ },
		Stuck:   func(context.Context, string, string) { d.stuck++ },
		Joined:  func(context.Context, string, string) {},
		Now:     time.Now,
	}, waited
}

// encrypting returns the converter of a worker that encrypts.
func encrypting(t *testing.T) converter.DataConverter {
	t.Helper()
	c, err := codec.New([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, func(error) {})
	require.NoError(t, err)
	return c.DataConverter()
}

func request(action queue.Action) queue.Request {
	return queue.Request{Pool: "s3_us-west-2", URL: "https://example.com/a.zip?sig=secret", Action: action}
}
