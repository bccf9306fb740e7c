package e2e

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflow/v1"
)

// activity holds the facts that a history records about the last activity of a type.
type activity struct {
	attempts    int32
	local       int32            // Local attempts among them, which failed
	lastFailure *failure.Failure // Of the attempt before the last
	cancelled   bool
	result      copyResult
}

// copyResult is the result of StreamCopy.
type copyResult struct {
	Size, Fetched, Resumed int64
	Way, Restarted         string
}

// activities returns the activities of a closed run by type. A local attempt counts as an attempt,
// also of the ordinary activity that follows it.
func activities(t *testing.T, w *workflow.WorkflowExecutionInfo) map[string]*activity {
	t.Helper()
	byEvent, byName := map[int64]*activity{}, map[string]*activity{}
	for _, e := range events(t, w) {
		if l, ok := localAttemptOf(t, e); ok {
			a := &activity{attempts: 1, lastFailure: l.failure}
			if l.failure != nil {
				a.local = 1
			}
			byName[l.ActivityType] = a
		}
		switch e.GetEventType() { //nolint:exhaustive // Other events do not change these fields
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			name, a := e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName(), &activity{}
			if before := byName[name]; before != nil {
				a.local = before.local
			}
			byEvent[e.GetEventId()], byName[name] = a, a
		case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			started := e.GetActivityTaskStartedEventAttributes()
			a := byEvent[started.GetScheduledEventId()]
			a.attempts, a.lastFailure = a.local+started.GetAttempt(), started.GetLastFailure()
		case enums.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
			byEvent[e.GetActivityTaskCanceledEventAttributes().GetScheduledEventId()].cancelled = true
		case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			completed := e.GetActivityTaskCompletedEventAttributes()
			for _, p := range completed.GetResult().GetPayloads() {
				// Tests read the result of a StreamCopy that made a copy only.
				if !bytes.Contains(p.GetData(), []byte(`"large":`)) && !bytes.Contains(p.GetData(), []byte(`"tooSmall":`)) {
					require.NoError(t, json.Unmarshal(p.GetData(), &byEvent[completed.GetScheduledEventId()].result))
				}
			}
		}
	}
	return byName
}
