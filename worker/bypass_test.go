package worker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
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

// TestEndedCopyIsNotRestarted passes messages to the bridge that waited in SQS while the copy ended. A
// message of before the end must not start the copy again if an operator ended it.
func TestEndedCopyIsNotRestarted(t *testing.T) {
	for class, want := range map[string]int{
		activities.ClassCancelled: 0, activities.ClassTerminated: 0, activities.ClassOperator: 0,
		"SourceTimeout": 1, "": 1,
	} {
		t.Run(class, func(t *testing.T) {
			started := 0
			d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { started++; return nil }}
			b, _ := newBridge(t, d)
			r := queue.Request{Action: queue.Put, Pool: "s3_us-west-2", URL: "https://a.test/object"}
			key := bucketSpace.Key(storage.Object{Service: "s3", Region: "us-west-2", URL: r.URL}.Hash())
			if class != "" {
				failed := cachetest.Rules().Failed(time.Now(), cache.Reason{Class: class, Text: "ended"})
				require.NoError(t, b.Entries.(*cachetest.Memory).Put(t.Context(), key, 0, failed))
			}
			require.NoError(t, b.Handle(t.Context(), r))
			require.Equal(t, want, started)
			d.started = nil
			r.Action = queue.Delete
			require.NoError(t, b.Handle(t.Context(), r))
			require.Len(t, d.started, 1, "control: a purge is finished in any case")
		})
	}
}
