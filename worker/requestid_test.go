package worker_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestRequestIDIsInTheMemo starts workflows for messages with and without an id.
func TestRequestIDIsInTheMemo(t *testing.T) {
	for id, memo := range map[string]map[string]any{"r1": {worker.RequestIDMemo: "r1"}, "": nil} {
		d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { return nil }}
		b, _ := newBridge(t, d)
		for i, action := range []queue.Action{queue.Put, queue.Delete, queue.Audit, queue.Refresh} {
			r := request(action)
			r.RequestID = id
			require.NoError(t, b.Handle(t.Context(), r))
			require.Len(t, d.started, i+1)
			require.Equal(t, memo, d.started[i].Memo, action)
		}
	}
}

// TestAJoinedCopyIsReported finds the running copy of a request by the request's id.
func TestAJoinedCopyIsReported(t *testing.T) {
	d := &temporalDouble{signal: func(string, string, string, any) error { return nil }}
	d.earlier = func(string, string, any) error { return nil }
	b, _ := newBridge(t, d)
	var joined []string
	b.Joined = func(ctx context.Context, pool, id string) {
		joined = append(joined, requestid.From(ctx), pool)
		require.Contains(t, id, "example.com/a.zip")
	}
	r := request(queue.Put)
	r.RequestID = "r1"
	require.NoError(t, b.Handle(t.Context(), r))
	require.Equal(t, []string{"r1", "s3_us-west-2"}, joined)
}
