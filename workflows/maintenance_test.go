package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestMaintenanceCompletes has each activity succeed, fail once, and fail for good. Its workflow
// completes in all cases, after at most MaintenanceAttempts attempts.
func TestMaintenanceCompletes(t *testing.T) {
	for name, tc := range map[string]struct {
		failures, attempts int
		err                error
		audit, refresh     string // JSON
	}{
		"success":          {0, 1, nil, `{"result":"same"}`, `{"result":"refreshed"}`},
		"a failure":        {1, 2, failed("StorageFailed", 0, false), `{"result":"same"}`, `{"result":"refreshed"}`},
		"no success":       {9, 3, failed("StorageFailed", 0, false), `{"result":"unknown","cause":"StorageFailed"}`, `{"result":"failed","cause":"StorageFailed"}`},
		"a lost worker":    {9, 3, errors.New("lost"), `{"result":"unknown","cause":"InternalError"}`, `{"result":"failed","cause":"InternalError"}`},
		"a permanent case": {9, 1, failed("InvalidUrl", 0, true), `{"result":"unknown","cause":"InvalidUrl"}`, `{"result":"failed","cause":"InvalidUrl"}`},
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			attempt := func() error {
				if attempts++; attempts <= tc.failures {
					return tc.err
				}
				return nil
			}
			r := newRun(t)
			r.OnActivity("Audit", mock.Anything, mock.Anything).Return(
				func(_ context.Context, in activities.AuditInput) (activities.AuditResult, error) {
					require.Equal(t, input().Source, in.Source)
					return activities.AuditResult{Result: activities.AuditSame}, attempt()
				})
			r.ExecuteWorkflow(workflows.AuditCopy, activities.AuditInput{Source: input().Source})
			requireResult(t, r, tc.audit)
			require.Equal(t, tc.attempts, attempts)

			attempts = 0
			r = newRun(t)
			r.OnActivity("Refresh", mock.Anything, mock.Anything).Return(
				func(_ context.Context, in activities.RefreshInput) (activities.RefreshResult, error) {
					require.Equal(t, input().Source, in.Source)
					return activities.RefreshResult{Result: activities.Refreshed}, attempt()
				})
			r.ExecuteWorkflow(workflows.RefreshCopy, activities.RefreshInput{Source: input().Source})
			requireResult(t, r, tc.refresh)
			require.Equal(t, tc.attempts, attempts)
		})
	}
}

// TestMaintenanceTakesNoTasksOfCopies has audits and refreshes on a task queue of their own. A refresh
// can take minutes, and many begin on one day. They must not take the tasks that a worker accepts
// for copies.
func TestMaintenanceTakesNoTasksOfCopies(t *testing.T) {
	var queues []string
	started := func(i *activity.Info, _ context.Context, _ converter.EncodedValues) {
		queues = append(queues, i.TaskQueue)
	}
	r := newRun(t)
	r.SetOnActivityStartedListener(started)
	r.OnActivity("Audit", mock.Anything, mock.Anything).Return(activities.AuditResult{Result: activities.AuditSame}, nil)
	r.ExecuteWorkflow(workflows.AuditCopy, activities.AuditInput{Source: input().Source})
	require.NoError(t, r.GetWorkflowError())
	r = newRun(t)
	r.SetOnActivityStartedListener(started)
	r.OnActivity("Refresh", mock.Anything, mock.Anything).Return(activities.RefreshResult{Result: activities.Refreshed}, nil)
	r.ExecuteWorkflow(workflows.RefreshCopy, activities.RefreshInput{Source: input().Source})
	require.NoError(t, r.GetWorkflowError())
	require.Equal(t, []string{"copy-s3_us-west-2-maintenance", "copy-s3_us-west-2-maintenance"}, queues)
}

func requireResult(t *testing.T, r *run, want string) {
	t.Helper()
	require.True(t, r.IsWorkflowCompleted())
	require.NoError(t, r.GetWorkflowError())
	var out json.RawMessage
	require.NoError(t, r.GetWorkflowResult(&out))
	require.JSONEq(t, want, string(out))
}

// TestMaintenanceHasItsOwnIDs: an audit and a refresh run beside a copy of their object.
func TestMaintenanceHasItsOwnIDs(t *testing.T) {
	s := source(t, "us-west-2", "https://example.com/a.zip?sig=secret")
	require.Equal(t, "audit/"+workflows.ID(s), workflows.AuditID(s))
	require.Equal(t, "refresh/"+workflows.ID(s), workflows.RefreshID(s))
}
