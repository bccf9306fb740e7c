package workflows_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestReportsAreTrue ends StreamCopy in the ways of operators and of the server. The run's error
// and the entry have the class.
func TestReportsAreTrue(t *testing.T) {
	byHand := func(reason string, details ...any) error {
		return temporal.NewApplicationErrorWithOptions(reason, "", temporal.ApplicationErrorOptions{NonRetryable: true, Details: details})
	}
	for name, tc := range map[string]struct {
		result any
		err    error
		class  string
		text   string
	}{
		"activity fail": {nil, byHand("the disk is on fire"), activities.ClassOperator, "an operator failed the activity: the disk is on fire"},
		"activity fail with our own details": {
			nil, byHand("no", activities.Failure{Class: "BadHTTPStatus", Status: 404, AboutObject: true, Exhausted: true},
				activities.Progress{Done: 5, Resume: copier.State{Upload: "a"}}),
			activities.ClassOperator, "an operator failed the activity: no",
		},
		"a long reason":    {nil, byHand(strings.Repeat("x", 5000)), activities.ClassOperator, "an operator failed the activity: x"},
		"a result of junk": {"junk", nil, activities.ClassResult, "the result of the activity can't be decoded"},
		"a time-out":       {nil, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil), activities.ClassTimedOut, "the activity timed out: ScheduleToClose"},
		"our own error":    {nil, failed("BadHTTPStatus", 404, true), "BadHTTPStatus", "BadHTTPStatus"}, // Control
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t)
			if tc.result != nil {
				// A mock would have to return the type of the activity.
				r.RegisterActivityWithOptions(func(context.Context, activities.StreamCopyInput) (any, error) { return tc.result, nil },
					activity.RegisterOptions{Name: "StreamCopy", DisableAlreadyRegisteredCheck: true})
			}
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(described(20<<20), nil)
			if tc.result == nil {
				r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{}, tc.err)
			}
			r.OnActivity("AbortUpload", mock.Anything, mock.Anything).Return(nil)
			r.updateCache(ok)
			r.ExecuteWorkflow(workflows.CopyObject, input())
			r.requireFailed(t, tc.class)
			if tc.result == nil { // An operator's details are no progress to resume from.
				r.AssertNumberOfCalls(t, "StreamCopy", 1)
			}
			require.Contains(t, r.GetWorkflowError().Error(), tc.text)
			require.Len(t, r.updates, 1)
			require.Equal(t, tc.class, r.updates[0].Failure.Class)
			require.LessOrEqual(t, len(r.updates[0].Failure.Text), 1024)
		})
	}
}

// TestMissingCopyFailsTheRun has UpdateCache find no copy in the bucket. An entry says so, and no
// copy is published.
func TestMissingCopyFailsTheRun(t *testing.T) {
	for _, class := range []string{activities.ClassCopyMissing, activities.ClassWrongPool, activities.ClassInvalidInput} {
		r := newRun(t)
		found := head()
		found.CopyID = "run/1"
		r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(found, nil)
		r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil)
		r.updateCache(func(n int) error {
			if n == 1 {
				return failed(class, 0, true)
			}
			return nil
		})
		r.ExecuteWorkflow(workflows.CopyObject, input())
		r.requireFailed(t, class)
		require.Len(t, r.updates, 2)
		require.Equal(t, "run/1", r.updates[0].CopyID)
		require.Equal(t, class, r.updates[1].Failure.Class)
	}
}
