package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// replay runs the workflow's code against a recorded history, after an edit of its text. The
// histories come from a real server, by `temporal workflow show --output json`.
func replay(t *testing.T, file string, edit func(string) string) error {
	t.Helper()
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflow(workflows.CopyObject)
	return r.ReplayWorkflowHistory(nil, recorded(t, file, edit))
}

// TestRecordedHistoriesReplay fails if the code no longer replays a history. Such a workflow would
// be stuck after a deployment: use workflow.GetVersion.
func TestRecordedHistoriesReplay(t *testing.T) {
	for _, file := range []string{"completed.json", "failed.json"} {
		t.Run(file, func(t *testing.T) {
			require.NoError(t, replay(t, file, unchanged))
		})
	}
}

func TestIncompatibleHistoryDoesNotReplay(t *testing.T) {
	err := replay(t, "completed.json", func(s string) string { return strings.ReplaceAll(s, `"StreamCopy"`, `"CopyStream"`) })
	require.ErrorContains(t, err, "nondeterministic")
}
