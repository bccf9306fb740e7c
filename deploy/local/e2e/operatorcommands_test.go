package e2e

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

// clientsGet is what clients of a copy get after a command of the temporal CLI.
type clientsGet string

const (
	getCopy   clientsGet = "get the copy"
	getLater  clientsGet = "get the copy after another request"
	getSource clientsGet = "get the source"
)

// cliRows are the commands that the operators' page has, each applied to a copy that runs.
func cliRows() map[string]struct {
	act     func(t *testing.T, h *heldCopy)
	clients clientsGet
} {
	workflow := func(args ...string) func(t *testing.T, h *heldCopy) {
		return func(t *testing.T, h *heldCopy) {
			t.Helper()
			temporalCLI(t, append(append([]string{"workflow"}, args...), "--workflow-id", h.id)...)
		}
	}
	activity := func(args ...string) func(t *testing.T, h *heldCopy) {
		return func(t *testing.T, h *heldCopy) {
			t.Helper()
			h.act(t, args[0], args[1:]...)
		}
	}
	pause := func(t *testing.T, h *heldCopy) {
		t.Helper()
		h.act(t, "pause")
		eventually(t, func() bool { return h.open.Load() == 0 }, "the attempt ends")
	}
	return map[string]struct {
		act     func(t *testing.T, h *heldCopy)
		clients clientsGet
	}{
		"workflow start": {func(t *testing.T, h *heldCopy) {
			t.Helper()
			temporalCLI(t, "workflow", "start", "--type", "CopyObject", "--task-queue", "copy-s3_"+west,
				"--workflow-id", h.id, "--id-conflict-policy", "Fail", "--input", "{}")
			workflows(t, west, h.object, 1)
		}, getCopy},
		"workflow signal": {workflow("signal", "--name", "hello", "--input", `"world"`), getCopy},
		"workflow reset":  {workflow("reset", "--type", "FirstWorkflowTask", "--reason", "test"), getCopy},
		"workflow cancel": {func(t *testing.T, h *heldCopy) {
			t.Helper()
			temporalCLI(t, "workflow", "cancel", "--workflow-id", h.id)
			waitClosed(t, west, h.object, 1, canceledStatus)
		}, getSource},
		"workflow terminate": {workflow("terminate", "--reason", "test"), getSource},
		"activity pause":     {pause, getSource},
		"activity unpause":   {func(t *testing.T, h *heldCopy) { t.Helper(); pause(t, h); h.act(t, "unpause") }, getCopy},
		"activity reset":     {activity("reset"), getCopy},
		"activity complete":  {activity("complete", "--result", `{"size":4194304}`), getLater},
		"activity fail":      {activity("fail", "--reason", "test"), getSource},
	}
}

// TestCommandsOfTheTemporalCLI runs each row of the operators' table. In the end each object has its copy.
func TestCommandsOfTheTemporalCLI(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "OPERATORS.md"))
	require.NoError(t, err)
	rows := cliRows()
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `temporal (\\w+ \\w+)` \\|[^|]*\\| ([^|]*) \\|$").FindAllStringSubmatch(string(page), -1) {
		listed[row[1]] = row[2]
	}
	require.Equal(t, slices.Sorted(maps.Keys(rows)), slices.Sorted(maps.Keys(listed)))
	for command, tc := range rows {
		require.True(t, strings.HasPrefix(listed[command], string(tc.clients)), "%s: %s", command, listed[command])
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			h := holdCopy(t)
			h.excepts(auditor.Fetches, "the command ends the attempt, and the next one reads again")
			tc.act(t, h)
			if tc.clients != getCopy {
				requireNoCopy(t, west, h.object)
			}
			close(h.gate)
			got := func() bool { return ask(t, west, h.object, "?max_wait=5s").isCopy() }
			switch tc.clients {
			case getCopy:
				runs := 1
				if command == "workflow reset" {
					runs = 2
				}
				waitClosed(t, west, h.object, runs, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
				require.True(t, got(), "the copy is made without another request")
			case getLater:
				eventually(t, got, "another request makes the copy")
			case getSource:
				require.False(t, got())
				if command == "activity pause" {
					h.act(t, "unpause")
				} else {
					purge(t, west, h.object)
				}
				eventually(t, got, "the end of the pause, or a purge, lets the copy be made")
			}
			requireCopy(t, h.source, west, ask(t, west, h.object, ""))
			require.Equal(t, http.StatusOK, head(t, west, h.object).status)
		})
	}
}
