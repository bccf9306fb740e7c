package workflows_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestPurgeIsFinishedHoweverLongItTakes has attempts fail. The purge then ends the running copy
// by its generation, unless a newer copy has replaced the object.
func TestPurgeIsFinishedHoweverLongItTakes(t *testing.T) {
	for name, tc := range map[string]struct {
		out     activities.PurgeResult
		signal  error
		signals int
	}{
		"a running copy":     {activities.PurgeResult{Generation: 9}, nil, 1},
		"no running copy":    {activities.PurgeResult{Generation: 9}, errors.New("unknown external workflow execution"), 1},
		"replaced meanwhile": {activities.PurgeResult{Generation: 7, Replaced: true}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t)
			attempts, signals := 0, 0
			r.OnActivity("PurgeCopy", mock.Anything, activities.PurgeInput{Source: input().Source, Generation: 7}).Return(
				func(context.Context, activities.PurgeInput) (activities.PurgeResult, error) {
					if attempts++; attempts < unlimited {
						return activities.PurgeResult{}, failed(activities.ClassStorage, 0, false)
					}
					return tc.out, nil
				})
			r.OnSignalExternalWorkflow(mock.Anything, "the copy", "", workflows.PurgeSignal, workflows.Purge{Generation: 9}).Return(
				func(string, string, string, string, any) error {
					signals++
					return tc.signal
				})
			r.ExecuteWorkflow(workflows.PurgeCopy, workflows.PurgeCopyInput{Source: input().Source, Generation: 7, Copy: "the copy"})
			require.NoError(t, r.GetWorkflowError())
			require.Equal(t, unlimited, attempts)
			require.Zero(t, workflows.PurgeCopyPolicy().MaximumAttempts)
			require.Equal(t, tc.signals, signals)
		})
	}
}

func TestPurgeInTheWrongQueueFails(t *testing.T) {
	r := newRun(t)
	r.OnActivity("PurgeCopy", mock.Anything, mock.Anything).Return(activities.PurgeResult{}, failed(activities.ClassWrongPool, 0, true))
	r.ExecuteWorkflow(workflows.PurgeCopy, workflows.PurgeCopyInput{Source: input().Source})
	r.requireFailed(t, activities.ClassWrongPool)
}
