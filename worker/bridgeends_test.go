package worker_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestStuckRunIsReplaced requests an object. No worker can continue its run. The bridge terminates
// that very run, and starts another. All other runs get a signal, such as one whose workers are
// frozen or too slow.
func TestStuckRunIsReplaced(t *testing.T) {
	task := func(attempt int32) *workflow.PendingWorkflowTaskInfo {
		return &workflow.PendingWorkflowTaskInfo{Attempt: attempt, State: enums.PENDING_WORKFLOW_TASK_STATE_STARTED}
	}
	waiting := func(attempt int32) *workflow.PendingWorkflowTaskInfo {
		return &workflow.PendingWorkflowTaskInfo{Attempt: attempt, State: enums.PENDING_WORKFLOW_TASK_STATE_SCHEDULED}
	}
	const (
		completed = enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
		failed    = enums.EVENT_TYPE_WORKFLOW_TASK_FAILED
		timedOut  = enums.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
		signaled  = enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
	)
	for name, tc := range map[string]struct {
		task     *workflow.PendingWorkflowTaskInfo
		history  []enums.EventType
		priority queue.Priority
		closed   bool // Another bridge terminates it first
		want     string
	}{
		"stuck":                            {task(4), []enums.EventType{completed, failed, signaled}, "", false, "start terminate start"},
		"stuck, and requested by a list":   {task(9), []enums.EventType{failed}, queue.Low, false, "start terminate start"},
		"terminated by another bridge":     {task(4), []enums.EventType{failed}, "", true, "start terminate start signal"},
		"stuck, and its first worker died": {task(8), []enums.EventType{completed, timedOut}, "", false, "start terminate start"},
		"three workers did not answer":     {task(4), []enums.EventType{failed, completed, timedOut}, "", false, "start signal"},
		"six workers did not answer":       {task(7), []enums.EventType{timedOut, signaled}, "", false, "start signal"},
		"waits for a worker":               {waiting(1), []enums.EventType{failed}, "", false, "start signal"},
		"has failed within 10 s":           {task(3), []enums.EventType{failed}, "", false, "start signal"},
		"has no task":                      {nil, []enums.EventType{failed}, "", false, "start signal"},
		"waits for a mended worker":        {waiting(5), []enums.EventType{failed}, "", false, "start signal"},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			d := &temporalDouble{task: tc.task, history: tc.history}
			ended := false
			d.start = func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
				calls = append(calls, "start")
				if ended && !tc.closed {
					return nil
				}
				run := "first"
				if ended {
					d.task, run = nil, "second"
				}
				return serviceerror.NewWorkflowExecutionAlreadyStarted("", "", run)
			}
			d.terminate = func(_, run string) error {
				calls = append(calls, "terminate")
				require.Equal(t, "first", run)
				ended = true
				if tc.closed {
					return serviceerror.NewNotFound("workflow execution already completed")
				}
				return nil
			}
			d.signal = func(string, string, string, any) error {
				calls = append(calls, "signal")
				return nil
			}
			b, _ := newBridge(t, d)
			r := request(queue.Put)
			r.Priority = tc.priority
			require.NoError(t, b.Handle(t.Context(), r))
			require.Equal(t, tc.want, strings.Join(calls, " "))
			require.Equal(t, tc.want == "start terminate start", d.stuck == 1)
		})
	}
}

// TestPurgeIsFinished starts one workflow for each purge, at the priority of clients. Without a
// generation, an open run may be of an earlier purge, which leaves copies that are newer than
// itself.
func TestPurgeIsFinished(t *testing.T) {
	type policies struct {
		reuse    enums.WorkflowIdReusePolicy
		conflict enums.WorkflowIdConflictPolicy
	}
	for generation, want := range map[int64]policies{
		0: {enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING},
		7: {enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING},
	} {
		d := &temporalDouble{}
		b, waited := newBridge(t, d)
		r := request(queue.Delete)
		r.Generation = generation
		require.NoError(t, b.Handle(t.Context(), r))
		d.maintainErr = serviceerror.NewWorkflowExecutionAlreadyStarted("completed", "", "")
		require.NoError(t, b.Handle(t.Context(), r), "a message that is delivered twice")
		require.Zero(t, *waited)
		o := d.started[0]
		prefix := "purge/" + strconv.FormatInt(generation, 10) + "/s3_us-west-2/example.com/a.zip/"
		require.True(t, strings.HasPrefix(o.ID, prefix), o.ID)
		require.Equal(t, "copy-s3_us-west-2", o.TaskQueue)
		require.Equal(t, want, policies{o.WorkflowIDReusePolicy, o.WorkflowIDConflictPolicy})
		require.Zero(t, o.Priority.PriorityKey)
		require.Zero(t, o.WorkflowExecutionTimeout, "a purge is not forgotten")
		in, ok := d.maintained[0].(workflows.PurgeCopyInput)
		require.True(t, ok)
		require.Equal(t, generation, in.Generation)
		require.Equal(t, workflows.ID(in.Source), in.Copy)
		require.True(t, strings.HasSuffix(o.ID, "/"+in.Source.Hash), "another object's purge has another id")
		data, err := json.Marshal(in)
		require.NoError(t, err)
		require.NotContains(t, string(data)+o.StaticSummary, "secret")
	}
}
