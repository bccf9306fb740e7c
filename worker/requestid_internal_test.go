package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// headerFields is a header of Temporal.
type headerFields map[string]*commonpb.Payload

func (h headerFields) Set(key string, value *commonpb.Payload) { h[key] = value }

// TestRequestIDReachesAllLogs runs a workflow with a local and an ordinary activity.
func TestRequestIDReachesAllLogs(t *testing.T) {
	payloads, err := codec.New([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, func(error) {})
	require.NoError(t, err)
	ids := requestIDs{payloads.DataConverter()}
	header := func(id string) *commonpb.Header {
		fields := headerFields{}
		require.NoError(t, ids.Inject(requestid.With(t.Context(), id), fields))
		return &commonpb.Header{Fields: fields}
	}
	encrypted := header("r1").GetFields()[requestIDHeader]
	require.NotContains(t, string(encrypted.GetData()), "r1")
	plain, err := converter.GetDefaultDataConverter().ToPayload(strings.Repeat("x", 129))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		header *commonpb.Header
		want   any
	}{
		"an id":           {header("r1"), "r1"},
		"no id":           {header(""), nil},
		"a forged header": {&commonpb.Header{Fields: map[string]*commonpb.Payload{requestIDHeader: plain}}, nil},
		"another key": {&commonpb.Header{Fields: map[string]*commonpb.Payload{
			requestIDHeader: {Metadata: map[string][]byte{"encoding": []byte("unknown")}, Data: []byte("x")},
		}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(temporalLogger(zerolog.New(&out)))
			suite.SetContextPropagators([]workflow.ContextPropagator{ids})
			suite.SetHeader(tc.header)
			env := suite.NewTestWorkflowEnvironment()
			env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&identifiedLogs{}}})
			act := func(ctx context.Context, name string) error {
				activity.GetLogger(ctx).Info(name)
				return nil
			}
			env.RegisterActivity(act)
			env.ExecuteWorkflow(func(ctx workflow.Context) error {
				workflow.GetLogger(ctx).Info("workflow")
				local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
				if err := workflow.ExecuteLocalActivity(local, act, "local").Get(ctx, nil); err != nil {
					return err
				}
				ordinary := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
				return workflow.ExecuteActivity(ordinary, act, "ordinary").Get(ctx, nil)
			})
			require.NoError(t, env.GetWorkflowError())
			found := map[string]any{}
			for line := range strings.Lines(out.String()) {
				var fields map[string]any
				require.NoError(t, json.Unmarshal([]byte(line), &fields))
				if fields["level"] == "info" {
					found[fields["message"].(string)] = fields["request_id"]
				}
			}
			require.Equal(t, map[string]any{"workflow": tc.want, "local": tc.want, "ordinary": tc.want}, found)
		})
	}
}

func TestFieldsOfTheSDKAreSpelledAsOurs(t *testing.T) {
	for name, want := range map[string]string{
		"WorkflowID": "workflow_id", "RunID": "run_id", "TaskQueue": "task_queue", "Attempt": "attempt", "Error": "error",
		"IDReuse": "id_reuse", "request_id": "request_id", "": "",
	} {
		require.Equal(t, want, snake(name))
	}
	var out bytes.Buffer
	log := temporalLogger(zerolog.New(&out).Level(zerolog.InfoLevel))
	log.Error(attemptFailed, "WorkflowID", "hidden")
	log.Error("shown", "WorkflowID", "w")
	require.JSONEq(t, `{"level":"error","workflow_id":"w","message":"shown"}`, out.String())
}
