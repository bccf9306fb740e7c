package operate

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/worker"
	sdkworkflow "go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

const latest = "../../workflows/testdata/2026-11-26-steps/"

// recorded returns the events of a history.
func recorded(t *testing.T, file string) []*history.HistoryEvent {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	h, err := sdkclient.HistoryFromJSON(f, sdkclient.HistoryJSONOptions{})
	require.NoError(t, err)
	return h.GetEvents()
}

func newCodec(t *testing.T, keys ...string) *codec.Codec {
	t.Helper()
	c, err := codec.New(keys, func(error) {})
	require.NoError(t, err)
	return c
}

// thisBuild registers the workflows as they are.
func thisBuild(r sdk.WorkflowReplayer) { worker.RegisterWorkflows(r) }

// anotherBuild registers a CopyObject with one step too many.
func anotherBuild(r sdk.WorkflowReplayer) {
	type input = workflows.CopyObjectInput
	r.RegisterWorkflowWithOptions(func(ctx sdkworkflow.Context, in input) (workflows.CopyObjectResult, error) {
		_ = sdkworkflow.Sleep(ctx, 1)
		return workflows.CopyObject(ctx, in)
	}, sdkworkflow.RegisterOptions{Name: "CopyObject"})
}

// listed are the runs that a gate replays. Each has its file's events.
type listed struct {
	infos  []*workflow.WorkflowExecutionInfo
	events map[string][]*history.HistoryEvent // By run id. Nil is a deleted history.
}

func (l *listed) add(kind, run, queue string, events []*history.HistoryEvent) {
	if l.events == nil {
		l.events = map[string][]*history.HistoryEvent{}
	}
	l.events[run] = events
	l.infos = append(l.infos, &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: "s3_us-west-2/" + run, RunId: run},
		Type:      &common.WorkflowType{Name: kind}, TaskQueue: queue,
	})
}

func (l *listed) runs() iter.Seq2[*workflow.WorkflowExecutionInfo, error] {
	return func(yield func(*workflow.WorkflowExecutionInfo, error) bool) {
		for _, w := range l.infos {
			if !yield(w, nil) {
				return
			}
		}
	}
}

func (l *listed) history(_ context.Context, _, run string) ([]*history.HistoryEvent, error) {
	if l.events[run] == nil {
		return nil, serviceerror.NewNotFound("workflow not found")
	}
	return l.events[run], nil
}

func (l *listed) gate(t *testing.T, register func(sdk.WorkflowReplayer)) *gate {
	t.Helper()
	return &gate{replayer: replayer{register: register, payloads: newCodec(t)}, history: l.history}
}

func TestReplayOfANamespace(t *testing.T) {
	var l listed
	l.add("CopyObject", "a", "copy-s3_us-west-2", recorded(t, latest+"small.json"))
	l.add("CopyObject", "b", "copy-s3_us-west-2", recorded(t, latest+"small.json"))
	l.add("CopyObject", "a", "copy-s3_us-west-2", recorded(t, latest+"small.json")) // Listed twice
	l.add("SweepUploads", "c", "copy-s3_us-west-2", recorded(t, latest+"swept.json"))
	l.add("CopyObject", "deleted", "copy-s3_us-west-2", nil)
	l.add("CopyObject", "waiting", "copy-s3_us-west-2", recorded(t, latest+"small.json")[:2])
	l.add("Billing", "d", "billing", nil)
	g := l.gate(t, thisBuild)
	require.NoError(t, g.all(t.Context(), l.runs(), 0, 2))
	require.NoError(t, g.verdict(false))
	var out bytes.Buffer
	require.NoError(t, g.write(&out, "default"))
	require.Equal(t, `TYPE          RUNS  SHAPE
CopyObject    2     local HeadSource, StreamCopy, local UpdateCache: Completed
SweepUploads  1     SweepUploads: Completed
namespace default: 2 CopyObject, 1 SweepUploads replay, 0 do not
skipped: 1 deleted meanwhile, 1 of other applications, 1 that no worker has begun
`, out.String())
}

// TestReplayNamesTheFirstDifference has another CopyObject, and a type that no build has.
func TestReplayNamesTheFirstDifference(t *testing.T) {
	var l listed
	l.add("CopyObject", "a", "copy-s3_us-west-2", recorded(t, latest+"small.json"))
	l.add("SweepUploads", "b", "copy-s3_us-west-2", recorded(t, latest+"swept.json"))
	g := l.gate(t, anotherBuild)
	require.NoError(t, g.all(t.Context(), l.runs(), 0, 1))
	require.EqualError(t, g.verdict(true), "2 of 2 runs do not replay with this build")
	var out bytes.Buffer
	require.NoError(t, g.write(&out, "default"))
	require.Regexp(t, `CopyObject s3_us-west-2/a run a \(Completed\): event 4 \(local HeadSource, StreamCopy\): `+
		`\[TMPRL1100\] .* scheduleEventID: 8, .*\n`, out.String())
	require.Regexp(t, `SweepUploads s3_us-west-2/b run b .*unable to find workflow type: SweepUploads`, out.String())
	require.NotContains(t, out.String(), ".go:", "no stack")
}

func TestReplayOfNothingIsNoSuccess(t *testing.T) {
	var l listed
	l.add("CopyObject", "deleted", "copy-s3_us-west-2", nil)
	g := l.gate(t, thisBuild)
	require.NoError(t, g.all(t.Context(), l.runs(), 0, 1))
	require.ErrorContains(t, g.verdict(false), "no history was replayed")
	require.NoError(t, g.verdict(true))
}

// TestReplayStopsAtAnErrorOfTemporal: a gate that has read half of the histories knows nothing.
func TestReplayStopsAtAnErrorOfTemporal(t *testing.T) {
	var l listed
	l.add("CopyObject", "a", "copy-s3_us-west-2", recorded(t, latest+"small.json"))
	g := l.gate(t, thisBuild)
	down := errors.New("Temporal is down")
	require.ErrorIs(t, g.all(t.Context(), func(yield func(*workflow.WorkflowExecutionInfo, error) bool) {
		for w := range l.runs() {
			_ = yield(w, nil) && yield(nil, down)
		}
	}, 0, 1), down)
	g.history = func(context.Context, string, string) ([]*history.HistoryEvent, error) { return nil, down }
	require.ErrorIs(t, g.all(t.Context(), l.runs(), 0, 1), down)
}

func TestReplayKeepsItsLimits(t *testing.T) {
	var l listed
	for _, run := range []string{"a", "b", "c", "d", "e", "f"} {
		l.add("CopyObject", run, "copy-s3_us-west-2", recorded(t, latest+"small.json"))
	}
	g := l.gate(t, thisBuild)
	var at, most atomic.Int32
	both := make(chan struct{})
	g.history = func(ctx context.Context, id, run string) ([]*history.HistoryEvent, error) {
		n := at.Add(1)
		defer at.Add(-1)
		most.Store(max(most.Load(), n))
		if n == 2 && most.Load() == 2 {
			select {
			case <-both:
			default:
				close(both)
			}
		}
		<-both // Both slots are used
		return l.history(ctx, id, run)
	}
	require.NoError(t, g.all(t.Context(), l.runs(), 5, 2))
	require.EqualValues(t, 2, most.Load())
	total := 0
	for _, n := range g.replayed {
		total += n
	}
	require.Equal(t, 5, total)
}

// TestReplayReadsEncryptedHistories replays a history with encrypted payloads, with and without
// the key.
func TestReplayReadsEncryptedHistories(t *testing.T) {
	key := "k=" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	events := recorded(t, latest+"small.json")
	with := newCodec(t, key)
	for _, e := range events {
		encrypt(t, with, e)
	}
	execution := &common.WorkflowExecution{WorkflowId: "a", RunId: "b"}
	r := replayer{register: thisBuild, payloads: with}
	require.NoError(t, r.replay(execution, clone(events)))
	require.Contains(t, shape(events, with.DataConverter()), "local HeadSource")
	r.register = anotherBuild
	require.ErrorContains(t, r.difference(execution, clone(events)), "[TMPRL1100]", "the difference is readable")
	r = replayer{register: thisBuild, payloads: newCodec(t)}
	require.ErrorContains(t, r.replay(execution, clone(events)), `"k"`)
}

func clone(events []*history.HistoryEvent) []*history.HistoryEvent {
	return proto.CloneOf(&history.History{Events: events}).GetEvents()
}

// encrypt encrypts the payloads that the workflow reads of an event.
func encrypt(t *testing.T, c *codec.Codec, e *history.HistoryEvent) {
	t.Helper()
	var of []*common.Payloads
	switch e.GetEventType() { //nolint:exhaustive // The others have nothing that the workflow reads
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		of = append(of, e.GetWorkflowExecutionStartedEventAttributes().GetInput())
	case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		of = append(of, e.GetActivityTaskCompletedEventAttributes().GetResult())
	case enums.EVENT_TYPE_MARKER_RECORDED:
		if m := e.GetMarkerRecordedEventAttributes(); m.GetMarkerName() == "LocalActivity" {
			of = append(of, m.GetDetails()["data"], m.GetDetails()["result"])
		}
	}
	for _, p := range of {
		if p == nil {
			continue
		}
		encrypted, err := c.Encode(p.GetPayloads())
		require.NoError(t, err)
		p.Payloads = encrypted
	}
}

// TestEveryOpenRunReplays replays each history of the latest version up to each of its events, since an
// open run can be read at any moment. Temporal stores the decisions of a workflow task together with
// its end.
func TestEveryOpenRunReplays(t *testing.T) {
	r := replayer{register: thisBuild, payloads: newCodec(t)}
	execution := &common.WorkflowExecution{WorkflowId: "a", RunId: "b"}
	files, err := filepath.Glob(latest + "*.json")
	require.NoError(t, err)
	replayed := 0
	for _, file := range files {
		events := recorded(t, file)
		for n := range events {
			if n+1 < len(events) && decision(events[n+1]) {
				continue
			}
			if open := events[:n+1]; len(tasks(open)) > 0 {
				require.NoError(t, r.difference(execution, clone(open)), "%s, %d events", file, n+1)
				require.NotEmpty(t, shape(open, converter.GetDefaultDataConverter()))
				replayed++
			}
		}
	}
	require.Greater(t, replayed, 300)
}
