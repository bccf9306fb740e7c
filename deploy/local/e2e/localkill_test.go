package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
)

// lookLostShape kills a worker in its local attempt at HeadSource.
func lookLostShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	k := startKillable(t, east)
	s := newRanged(t, 1000, nil)
	object := s.object()
	at := k.s3.stop(object, callHead, 0, false)
	require.False(t, ask(t, east, object, "?max_wait=0").isCopy())
	at.wait(t, "HeadSource HEADs the bucket")
	k.kill()
	require.NoError(t, sys.Resume("worker-us-east-1"))
	return madeOnce(t, s, object)
}

// publishLostShape kills a worker in its local attempt at UpdateCache.
func publishLostShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	k := startKillable(t, east)
	s := newRanged(t, 1000, nil)
	object := s.object()
	at := k.redis.stop(east, object, false)
	require.False(t, ask(t, east, object, "?max_wait=0").isCopy())
	at.wait(t, "UpdateCache writes the entry")
	k.kill()
	require.NoError(t, sys.Resume("worker-us-east-1"))
	return madeOnce(t, s, object)
}

// lookAgainShape has the bucket not answer the local attempt at HeadSource. The ordinary activity
// follows.
func lookAgainShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	k := startKillable(t, east)
	defer k.terminate(t)
	s := newRanged(t, 1000, nil)
	object := s.object()
	k.s3.stop(object, callHead, 0, false)
	require.False(t, ask(t, east, object, "?max_wait=0").isCopy())
	w := madeOnce(t, s, object)
	first := localAttempts(t, w)[0]
	require.Equal(t, "HeadSource", first.ActivityType)
	require.True(t, strings.HasPrefix(first.summary, "look for "), first.summary)
	require.True(t, first.late(), "%v", first.failure)
	require.Regexp(t, "^look for .*, after a local attempt: .*deadline exceeded", summaryOf(t, w, "HeadSource"))
	return w
}

// publishAgainShape has redis not answer the local attempt at UpdateCache. The ordinary activity
// follows, and another worker ends it.
func publishAgainShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	k := startKillable(t, east)
	s := newRanged(t, 1000, nil)
	object := s.object()
	k.redis.stop(east, object, false)
	require.False(t, ask(t, east, object, "?max_wait=0").isCopy())
	eventually(t, func() bool {
		all := scheduled(t, workflows(t, east, object, 1)[0])
		return len(all) > 1 && all[len(all)-1] == all[len(all)-2]
	}, "the ordinary UpdateCache is scheduled")
	require.NoError(t, sys.Resume("worker-us-east-1"))
	k.terminate(t)
	w := madeOnce(t, s, object)
	attempts := localAttempts(t, w)
	last := attempts[len(attempts)-1]
	require.Equal(t, "UpdateCache", last.ActivityType)
	require.NotNil(t, last.failure)
	return w
}

// summaryOf returns the summary of the last ordinary activity of a type.
func summaryOf(t *testing.T, w *workflow.WorkflowExecutionInfo, activity string) (summary string) {
	t.Helper()
	for _, e := range events(t, w) {
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity {
			require.NoError(t, json.Unmarshal(e.GetUserMetadata().GetSummary().GetData(), &summary))
		}
	}
	return summary
}

// localAttempts returns the local attempts of a run, in order.
func localAttempts(t *testing.T, w *workflow.WorkflowExecutionInfo) (all []localAttempt) {
	t.Helper()
	for _, e := range events(t, w) {
		if l, ok := localAttemptOf(t, e); ok {
			all = append(all, l)
		}
	}
	return all
}

// madeOnce waits until the copy into east has ended, and requires that its source was read once.
func madeOnce(t *testing.T, s *ranged, object string) *workflow.WorkflowExecutionInfo {
	t.Helper()
	w := waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	requireCopy(t, s.source, east, ask(t, east, object, "?max_wait=0"))
	require.EqualValues(t, len(s.body), s.sent.Load(), "bytes fetched")
	return w
}

// lostTasks counts the workflow tasks of a run whose worker did not answer in time.
func lostTasks(t *testing.T, w *workflow.WorkflowExecutionInfo) (n int) {
	t.Helper()
	for _, e := range events(t, w) {
		timeout := e.GetWorkflowTaskTimedOutEventAttributes()
		if timeout.GetTimeoutType() == enums.TIMEOUT_TYPE_START_TO_CLOSE {
			n++
		}
	}
	return n
}

// TestKilledInALocalAttempt kills a worker in a local attempt. Temporal notices it by the timeout
// of the workflow task, and another worker repeats the attempt. A copy without a kill is the
// control.
func TestKilledInALocalAttempt(t *testing.T) {
	require.Zero(t, lostTasks(t, completedShape(t)))
	for name, shape := range map[string]func(t *testing.T) *workflow.WorkflowExecutionInfo{
		"HeadSource": lookLostShape, "UpdateCache": publishLostShape,
	} {
		t.Run(name, func(t *testing.T) {
			w := shape(t)
			require.Equal(t, 1, lostTasks(t, w))
			require.Equal(t, []string{"HeadSource", "StreamCopy", "UpdateCache"}, scheduled(t, w))
			for _, l := range localAttempts(t, w) {
				require.Nil(t, l.failure, l.ActivityType)
			}
		})
	}
}
