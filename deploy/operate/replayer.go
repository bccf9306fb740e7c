package operate

import (
	"fmt"
	"log/slog"
	"strings"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// replayer replays histories with the workflows that register registers.
type replayer struct {
	register func(sdk.WorkflowReplayer)
	payloads *codec.Codec
}

// difference returns an error if the workflows make other decisions than the history has. The error
// is that of the first workflow task that differs.
func (r *replayer) difference(execution *common.WorkflowExecution, events []*history.HistoryEvent) error {
	all := tasks(events)
	err := r.replay(execution, events[:all[len(all)-1].end])
	if err == nil {
		return nil
	}
	for _, task := range all {
		if first := r.replay(execution, events[:task.end]); first != nil {
			made := steps(events[task.completed:task.end], r.payloads.DataConverter())
			return fmt.Errorf("event %d (%s): %w", events[task.completed].GetEventId(), made, first)
		}
	}
	return err
}

// task is a workflow task that a worker completed: the index of that event, and the end of the
// decisions that follow it.
type task struct{ completed, end int }

// tasks returns the completed workflow tasks of a run. No worker has decided on later events, so a
// replay has nothing to compare them with.
func tasks(events []*history.HistoryEvent) (all []task) {
	for n, e := range events {
		if e.GetEventType() != enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			continue
		}
		t := task{completed: n, end: n + 1}
		for t.end < len(events) && decision(events[t.end]) {
			t.end++
		}
		all = append(all, t)
	}
	return all
}

// decision reports whether an event records a decision of a workflow task. Temporal stores it
// together with the end of the task.
func decision(e *history.HistoryEvent) bool {
	m := e.ProtoReflect()
	attributes := m.WhichOneof(m.Descriptor().Oneofs().ByName("attributes"))
	return attributes != nil && attributes.Message().Fields().ByName("workflow_task_completed_event_id") != nil
}

// replay returns an error if the workflows make other decisions than the history has.
//
// A replayer of the SDK keeps the results of all its runs, so each history gets one of its own. It
// has no deadlock detection: the second that the SDK allows is too short on a busy machine.
func (r *replayer) replay(execution *common.WorkflowExecution, events []*history.HistoryEvent) (err error) {
	failures := &plainFailures{FailureConverter: r.payloads.FailureConverter(), data: r.payloads.DataConverter()}
	defer func() {
		if panicked := recover(); panicked != nil { // A payload whose key is missing
			err = fmt.Errorf("replay: %v", panicked)
		}
	}()
	one, err := sdk.NewWorkflowReplayerWithOptions(sdk.WorkflowReplayerOptions{
		DataConverter: r.payloads.DataConverter(), FailureConverter: failures, DisableDeadlockDetection: true,
	})
	if err != nil {
		return fmt.Errorf("new replayer: %w", err)
	}
	r.register(one)
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	err = one.ReplayWorkflowHistoryWithOptions(quiet, &history.History{Events: events}, sdk.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: execution.GetWorkflowId(), RunID: execution.GetRunId()},
	})
	if err != nil && failures.last != nil && strings.HasPrefix(err.Error(), "replay workflow failed with failure") {
		return failures.last // The SDK's error is a dump of it, with its stack.
	}
	return err
}

// plainFailures keeps the last error that it converts, and does not encrypt it. Of a run that does not
// replay, that is the difference.
type plainFailures struct {
	converter.FailureConverter
	data converter.DataConverter
	last error
}

// ErrorToFailure implements [converter.FailureConverter].
func (f *plainFailures) ErrorToFailure(err error) *failure.Failure {
	f.last = err
	plain := temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: f.data})
	return plain.ErrorToFailure(err)
}
