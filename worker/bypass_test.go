package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestSwitchedOffCopiesAreNotStarted passes messages of before the bypass to the bridge. Purges go
// on.
func TestSwitchedOffCopiesAreNotStarted(t *testing.T) {
	started := 0
	d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { started++; return nil }}
	b, _ := newBridge(t, d)
	b.Bypassed = func(pool, url string) bool { return pool == "s3_us-west-2" && url == "https://a.test/off" }
	for action, want := range map[queue.Action]int{queue.Put: 0, queue.Refresh: 0, queue.Audit: 0, queue.Delete: 1} {
		d.started, d.maintained = nil, nil
		require.NoError(t, b.Handle(t.Context(), queue.Request{Action: action, Pool: "s3_us-west-2", URL: "https://a.test/off"}), action)
		require.Len(t, d.started, want, action)
	}
	require.NoError(t, b.Handle(t.Context(), queue.Request{Action: queue.Put, Pool: "s3_us-west-2", URL: "https://a.test/on"}))
	require.Equal(t, 1, started)
}
