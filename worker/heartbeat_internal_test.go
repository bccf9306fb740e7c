package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestPatienceFollowsTheActivity returns the patience from activities with different heartbeat
// timeouts.
func TestPatienceFollowsTheActivity(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	for timeout, want := range map[time.Duration]time.Duration{
		6 * time.Second: 4 * time.Second, 12 * time.Second: 10 * time.Second, 0: 10 * time.Second,
	} {
		env := suite.NewTestWorkflowEnvironment()
		ask := func(ctx context.Context) (time.Duration, error) { return patience(ctx), nil }
		env.RegisterActivity(ask)
		env.ExecuteWorkflow(func(ctx workflow.Context) (d time.Duration, err error) {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: timeout})
			err = workflow.ExecuteActivity(ctx, ask).Get(ctx, &d)
			return d, err
		})
		var got time.Duration
		require.NoError(t, env.GetWorkflowResult(&got))
		require.Equal(t, want, got)
	}
	require.Equal(t, workflows.HeartbeatPatience(0), patience(t.Context()), "a call without an activity")
}
