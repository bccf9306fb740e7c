package operate

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// runsDouble is Temporal with the states of the latest runs, by workflow id.
type runsDouble struct {
	client.Client

	runs     map[string]enums.WorkflowExecutionStatus
	signaled []string
	input    *common.Payloads // Of all runs
}

// firstEvent is a history with one event.
type firstEvent struct{ input *common.Payloads }

func (e *firstEvent) HasNext() bool { return true }

func (e *firstEvent) Next() (*history.HistoryEvent, error) {
	return &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &history.WorkflowExecutionStartedEventAttributes{Input: e.input},
	}}, nil
}

func (d *runsDouble) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	status, known := d.runs[id]
	if !known {
		return nil, serviceerror.NewNotFound("no such run")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: id, RunId: "run of " + id}, Status: status,
	}}, nil
}

func (d *runsDouble) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	if d.runs[o.ID] == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, &serviceerror.WorkflowExecutionAlreadyStarted{RunId: "run of " + o.ID}
	}
	d.runs[o.ID] = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	return nil, nil //nolint:nilnil // As no caller reads it
}

func (d *runsDouble) GetWorkflowHistory(context.Context, string, string, bool, enums.HistoryEventFilterType) client.HistoryEventIterator {
	return &firstEvent{d.input}
}

func (d *runsDouble) SignalWorkflow(_ context.Context, id, run, _ string, _ any) error {
	if run != "run of "+id {
		return serviceerror.NewNotFound("no such run")
	}
	d.signaled = append(d.signaled, id)
	return nil
}

// TestOneRunOfAnObject asks for an object whose copy runs, perhaps under the id of an earlier build. No
// second run starts: one would abort the other's upload.
func TestOneRunOfAnObject(t *testing.T) {
	const runs, completed = enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	in := workflows.CopyObjectInput{Source: activities.SealedObject{
		Service: "s3", Region: "us-west-2", URL: "https://example.com/a", Hash: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	}}
	id, earlier := workflows.ID(in.Source), workflows.EarlierID(in.Source)
	require.NotEqual(t, id, earlier)
	type states = map[string]enums.WorkflowExecutionStatus
	for name, tc := range map[string]struct {
		before   states
		want     string
		signaled []string
	}{
		"no run":                             {states{}, id, nil},
		"a run that has ended":               {states{id: completed}, id, nil},
		"a run of this build":                {states{id: runs}, id, []string{id}},
		"a run of an earlier build":          {states{earlier: runs}, earlier, []string{earlier}},
		"an ended run of an earlier build":   {states{earlier: completed}, id, nil},
		"an ended run, and one of the other": {states{earlier: completed, id: runs}, id, []string{id}},
	} {
		t.Run(name, func(t *testing.T) {
			d := &runsDouble{runs: tc.before}
			got, err := (&mirror{temporal: d}).request(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.signaled, d.signaled)
			open := 0
			for _, status := range d.runs {
				if status == runs {
					open++
				}
			}
			require.Equal(t, 1, open)
		})
	}
}
