package e2e

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// sweepResult is the result of SweepUploads.
type sweepResult struct{ Aborted, Owned, Young, Foreign int }

// sweep runs a sweep of a region's bucket and returns its result.
func sweep(t *testing.T, region string, olderThan time.Duration) (result sweepResult) {
	t.Helper()
	run, err := sys.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "sweep of " + t.Name(), TaskQueue: "copy-s3_" + region,
	}, "SweepUploads", map[string]any{"olderThan": olderThan})
	require.NoError(t, err)
	require.NoError(t, run.Get(background(t), &result))
	return result
}

func TestSweep(t *testing.T) {
	lost, lostObject, _ := halfCopied(t, west)
	running, runningObject, gate := halfCopied(t, west)
	const foreignKey = "foreign/object.bin"
	status, body, _ := s3Call(t, http.MethodPost, west, foreignKey, "uploads=")
	require.Equal(t, 200, status, string(body))
	var foreign struct {
		ID string `xml:"UploadId"`
	}
	require.NoError(t, xml.Unmarshal(body, &foreign))
	t.Cleanup(func() {
		status, body, _ := s3Call(t, http.MethodDelete, west, foreignKey, "uploadId="+url.QueryEscape(foreign.ID))
		require.Equal(t, 204, status, string(body))
	})
	open := func() [3]int {
		return [3]int{
			len(openUploads(t, west, keyOf(t, lostObject))), len(openUploads(t, west, keyOf(t, runningObject))),
			len(openUploads(t, west, foreignKey)),
		}
	}
	// A terminated workflow does not clean up.
	id := workflows(t, west, lostObject, 1)[0].GetExecution().GetWorkflowId()
	require.NoError(t, sys.temporal.TerminateWorkflow(background(t), id, "", "test"))
	waitClosed(t, west, lostObject, 1, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED)
	eventually(t, func() bool { return lost.open.Load() == 0 }, "the activity of the terminated workflow ends")
	workflows(t, west, runningObject, 1) // Wait until the list contains the running workflow
	require.Equal(t, [3]int{1, 1, 1}, open())

	require.Equal(t, sweepResult{Young: 2, Foreign: 1}, sweep(t, west, time.Hour))
	require.Equal(t, [3]int{1, 1, 1}, open())
	require.Equal(t, sweepResult{Aborted: 1, Owned: 1, Foreign: 1}, sweep(t, west, 0))
	require.Equal(t, [3]int{0, 1, 1}, open())

	close(gate)
	requireCopy(t, running.source, west, ask(t, west, runningObject, ""))
	require.EqualValues(t, len(running.body), running.sent.Load(), "the sweep disturbed the copy")
	w := waitClosed(t, west, runningObject, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	require.EqualValues(t, 1, activities(t, w)["StreamCopy"].attempts)
	require.Equal(t, sweepResult{Foreign: 1}, sweep(t, west, 0))
	requireNothing(t, west, lostObject)
}

func TestSweepsAreScheduled(t *testing.T) {
	for _, region := range stack.Regions() {
		s, err := sys.temporal.ScheduleClient().GetHandle(t.Context(), "sweep-s3_"+region).Describe(t.Context())
		require.NoError(t, err)
		require.False(t, s.Schedule.State.Paused)
		require.Len(t, s.Schedule.Spec.Intervals, 1)
		require.Equal(t, time.Hour, s.Schedule.Spec.Intervals[0].Every)
		require.NotEmpty(t, s.Info.NextActionTimes)
		action, ok := s.Schedule.Action.(*client.ScheduleWorkflowAction)
		require.True(t, ok)
		require.Equal(t, "SweepUploads", action.Workflow)
		require.Equal(t, "copy-s3_"+region, action.TaskQueue)
	}
	_, err := sys.temporal.ScheduleClient().GetHandle(t.Context(), "sweep-s3_mars-1").Describe(t.Context())
	require.Error(t, err)
}
