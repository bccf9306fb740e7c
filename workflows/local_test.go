package workflows_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// attempts is a run that lists the attempts of HeadSource and UpdateCache. err returns the error of
// an attempt.
func attempts(t *testing.T, err func(name string, local bool) error) (r *run, list *[]string) {
	t.Helper()
	r, list = newRun(t), &[]string{}
	attempt := func(ctx context.Context, name string) error {
		info := activity.GetInfo(ctx)
		require.EqualValues(t, 1, info.Attempt)
		require.NotEmpty(t, info.TaskQueue)
		text := name
		if info.IsLocalActivity {
			text = "local " + name
		}
		*list = append(*list, text)
		return err(name, info.IsLocalActivity)
	}
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(
		func(ctx context.Context, _ activities.HeadSourceInput) (activities.HeadSourceResult, error) {
			return head(), attempt(ctx, "HeadSource")
		})
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil)
	r.OnActivity("UpdateCache", mock.Anything, mock.Anything).Return(
		func(ctx context.Context, in activities.UpdateCacheInput) error {
			r.updates = append(r.updates, in)
			return attempt(ctx, "UpdateCache")
		})
	return r, list
}

func never(string, bool) error { return nil }

// of returns err for the local attempts at an activity only.
func of(activity string, err error) func(string, bool) error {
	return func(name string, local bool) error {
		if local && name == activity {
			return err
		}
		return nil
	}
}

// TestLocalAttempts has local attempts fail. The ordinary activity follows unless the failure is
// permanent.
func TestLocalAttempts(t *testing.T) {
	timeout := temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
	for name, tc := range map[string]struct {
		err   func(string, bool) error
		list  []string
		class string // Of the run's failure
	}{
		"succeed": {never, []string{"local HeadSource", "local UpdateCache"}, ""},
		"HeadSource fails": {
			of("HeadSource", failed(activities.ClassSealed, 0, false)),
			[]string{"local HeadSource", "HeadSource", "local UpdateCache"}, "",
		},
		"HeadSource times out":      {of("HeadSource", timeout), []string{"local HeadSource", "HeadSource", "local UpdateCache"}, ""},
		"HeadSource panics":         {of("HeadSource", errors.New("panic")), []string{"local HeadSource", "HeadSource", "local UpdateCache"}, ""},
		"HeadSource is in vain":     {of("HeadSource", failed(activities.ClassWrongPool, 0, true)), []string{"local HeadSource", "local UpdateCache"}, activities.ClassWrongPool},
		"UpdateCache fails":         {of("UpdateCache", failed(activities.ClassCache, 0, false)), []string{"local HeadSource", "local UpdateCache", "UpdateCache"}, ""},
		"UpdateCache times out":     {of("UpdateCache", timeout), []string{"local HeadSource", "local UpdateCache", "UpdateCache"}, ""},
		"UpdateCache finds no copy": {of("UpdateCache", failed(activities.ClassCopyMissing, 0, true)), []string{"local HeadSource", "local UpdateCache", "local UpdateCache"}, activities.ClassCopyMissing},
	} {
		t.Run(name, func(t *testing.T) {
			r, list := attempts(t, tc.err)
			r.ExecuteWorkflow(workflows.CopyObject, input())
			if tc.class == "" {
				require.True(t, r.result(t).Published)
			} else {
				r.requireFailed(t, tc.class)
			}
			require.Equal(t, tc.list, *list)
		})
	}
}

// TestLowPriorityIsNeverLocal has workflow tasks do no work of copies that no client waits for.
// UpdateCache never ranks low.
func TestLowPriorityIsNeverLocal(t *testing.T) {
	r, list := attempts(t, never)
	in := input()
	in.Low = true
	r.ExecuteWorkflow(workflows.CopyObject, in)
	require.True(t, r.result(t).Published)
	require.Equal(t, []string{"HeadSource", "local UpdateCache"}, *list)
}

// TestRunOfAnEarlierBuildHasNoLocalAttempts continues a run without the version.
func TestRunOfAnEarlierBuildHasNoLocalAttempts(t *testing.T) {
	r, list := attempts(t, never)
	r.OnGetVersion("local-first", workflow.DefaultVersion, workflow.Version(2)).Return(workflow.DefaultVersion)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, r.result(t).Published)
	require.Equal(t, []string{"HeadSource", "UpdateCache"}, *list)
}

// TestCancellationWaitsForALocalAttempt cancels a run in its local attempt at HeadSource. The
// cancellation is recorded after the end of that attempt, which may store a lease.
func TestCancellationWaitsForALocalAttempt(t *testing.T) {
	l := newTimeline(t)
	control := false
	l.at(0.5, l.CancelWorkflow)
	l.at(0.9, func() {
		control = true
		require.Empty(t, l.updates, "the attempt has not ended")
	})
	l.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, temporal.IsCanceledError(l.GetWorkflowError()), "%v", l.GetWorkflowError())
	require.True(t, control, "the run lasts until the attempt ends")
	require.Equal(t, 1, l.heads)
	require.Zero(t, l.copies)
	require.Len(t, l.updates, 1)
	require.Equal(t, activities.ClassCancelled, l.updates[0].Failure.Class)
	require.True(t, l.updates[0].Known)
}
