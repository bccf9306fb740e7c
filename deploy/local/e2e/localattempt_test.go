package e2e

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/history/v1"
)

// localAttempt is a local attempt at an activity. A marker records it at its end.
type localAttempt struct {
	ActivityType string
	failure      *failure.Failure // Nil after a success
	summary      string
}

// localAttemptOf returns the local attempt that an event records.
func localAttemptOf(t *testing.T, e *history.HistoryEvent) (l localAttempt, ok bool) {
	t.Helper()
	m := e.GetMarkerRecordedEventAttributes()
	if m.GetMarkerName() != "LocalActivity" {
		return l, false
	}
	data := m.GetDetails()["data"].GetPayloads()
	require.Len(t, data, 1)
	require.NoError(t, json.Unmarshal(data[0].GetData(), &l))
	require.NotEmpty(t, l.ActivityType)
	require.NoError(t, json.Unmarshal(e.GetUserMetadata().GetSummary().GetData(), &l.summary))
	l.failure = m.GetFailure()
	return l, true
}

// activityOf returns the name of the activity that an event schedules, or whose local attempt it
// records. It is empty for other events.
func activityOf(t *testing.T, e *history.HistoryEvent) string {
	t.Helper()
	if l, ok := localAttemptOf(t, e); ok {
		return l.ActivityType
	}
	return e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
}

// late reports whether the attempt timed out. It may have noticed its deadline before the SDK did.
func (l localAttempt) late() bool {
	return l.failure.GetTimeoutFailureInfo() != nil || l.failure.GetMessage() == context.DeadlineExceeded.Error()
}
