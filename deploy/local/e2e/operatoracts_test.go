package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

// failedCopies returns the number of failed copies in all workers, of the classes that counts accepts.
func failedCopies(t *testing.T, counts func(class string) bool) (sum float64) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^cloud_mirror_failed_copies_total\{class="(\w+)",[^}]*\} (\S+)$`)
	for _, w := range workers() {
		_, body, _ := fetch(t, sys.AdminURL(w)+"/metrics")
		for _, m := range line.FindAllSubmatch(body, -1) {
			n, err := strconv.ParseFloat(string(m[2]), 64)
			require.NoError(t, err)
			if counts(string(m[1])) {
				sum += n
			}
		}
	}
	return sum
}

// reachable reports whether copies of a class reached their source. Copies of earlier tests may fail
// at any time, since their sources are closed.
func reachable(class string) bool { return class != "SourceUnreachable" }

// TestOperatorsActIsReported has an operator end a copy. The history, the cache entry and the
// metric name the act.
func TestOperatorsActIsReported(t *testing.T) {
	for name, tc := range map[string]struct {
		act    func(t *testing.T, h *heldCopy)
		status enums.WorkflowExecutionStatus
		class  string
		text   string  // Of the error, unless the run is not failed
		failed float64 // Failed copies
	}{
		"activity fail": {func(t *testing.T, h *heldCopy) {
			t.Helper()
			h.act(t, "fail", "--reason", "the disk is on fire")
		}, failedStatus, "OperatorFailed", "an operator failed the activity: the disk is on fire", 1},
		"activity fail with details": {func(t *testing.T, h *heldCopy) {
			t.Helper()
			h.act(t, "fail", "--reason", "mine", "--detail", `{"class":"BadHTTPStatus","status":404,"aboutObject":true}`)
		}, failedStatus, "OperatorFailed", "an operator failed the activity: mine", 1},
		"activity complete with junk": {func(t *testing.T, h *heldCopy) {
			t.Helper()
			h.act(t, "complete", "--result", `"junk"`)
		}, failedStatus, "InvalidResult", "the result of the activity can't be decoded", 1},
		"workflow cancel": {func(t *testing.T, h *heldCopy) {
			t.Helper()
			temporalCLI(t, "workflow", "cancel", "--workflow-id", h.id)
		}, canceledStatus, "Cancelled", "", 0},
		"workflow terminate": {func(t *testing.T, h *heldCopy) {
			t.Helper()
			temporalCLI(t, "workflow", "terminate", "--workflow-id", h.id, "--reason", "enough")
		}, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, "Terminated", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := holdCopy(t)
			defer close(h.gate)
			ofClass := func(class string) bool { return class == tc.class }
			before := failedCopies(t, ofClass)
			tc.act(t, h)
			w := waitClosed(t, west, h.object, 1, tc.status)
			if tc.status == failedStatus {
				class, text := failureOfRun(t, w)
				require.Equal(t, tc.class, class)
				require.Contains(t, text, tc.text)
			}
			eventually(t, func() bool {
				return regexp.MustCompile(`^error .*"class":"` + tc.class + `"`).MatchString(entryOf(t, west, h.object))
			},
				"the entry has the class")
			if tc.class != "InvalidResult" { // A worker of another build may do better
				require.False(t, ask(t, west, h.object, "").isCopy())
				workflows(t, west, h.object, 1) // No client restarts the copy
			}
			require.InDelta(t, tc.failed, failedCopies(t, ofClass)-before, 0)
		})
	}
}

// TestPausedCopyIsReported pauses and resets a copy. Neither is a failure of the copy, and both are
// named in the last failure of the activity.
func TestPausedCopyIsReported(t *testing.T) {
	for command, text := range map[string]string{
		"pause": "an operator paused the activity",
		"reset": "an operator reset the activity",
	} {
		t.Run(command, func(t *testing.T) {
			h := holdCopy(t)
			before := failedCopies(t, reachable)
			h.excepts(auditor.Fetches, "a pause or a reset ends the attempt, and the next one reads again")
			h.act(t, command)
			class := map[string]string{"pause": "Paused", "reset": "Reset"}[command]
			eventually(t, func() bool {
				f := h.pending(t).GetLastFailure()
				return f.GetMessage() == text && f.GetApplicationFailureInfo().GetType() == class
			}, "the attempt's failure names the operator")
			close(h.gate)
			if command == "pause" {
				h.act(t, "unpause")
			}
			requireCopy(t, h.source, west, ask(t, west, h.object, ""))
			w := waitClosed(t, west, h.object, 1, completedStatus)
			require.Equal(t, []string{"HeadSource", "StreamCopy", "UpdateCache"}, scheduled(t, w))
			require.InDelta(t, before, failedCopies(t, reachable), 0)
		})
	}
}

// TestPurgeIsNoFailure purges a running copy.
func TestPurgeIsNoFailure(t *testing.T) {
	h := holdCopy(t)
	defer close(h.gate)
	before := failedCopies(t, reachable)
	purge(t, west, h.object)
	waitClosed(t, west, h.object, 1, canceledStatus)
	require.InDelta(t, before, failedCopies(t, reachable), 0)
}

// TestCopiedBytesAreCountedOnce counts the bytes of a copy that resumed, and none of a copy that
// the bucket had.
func TestCopiedBytesAreCountedOnce(t *testing.T) {
	const name = "cloud_mirror_copied_bytes_total"
	before := metric(t, name, workers()...)
	w := resumedShape(t)
	after := metric(t, name, workers()...)
	require.InDelta(t, 12*mib, after-before, 0, fmt.Sprint(w.GetExecution()))
	existingShape(t)
	require.InDelta(t, 1000, metric(t, name, workers()...)-after, 0)
}
