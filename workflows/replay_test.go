package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// replay runs the workflow's code against a history that was recorded on a real server with
// `temporal workflow show --output json`, after an edit of its text.
func replay(t *testing.T, file string, edit func(string) string) error {
	t.Helper()
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflow(workflows.CopyObject)
	return r.ReplayWorkflowHistory(nil, recorded(t, file, edit))
}

// A history that no longer replays is a workflow that is stuck after a deployment: use workflow.GetVersion.
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
