package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// TestSignalDuringALocalAttempt has a signal arrive while the last workflow task of a run publishes
// its copy. Temporal refuses to close a run with a signal, so the worker repeats the task. A run
// without a signal is the control.
func TestSignalDuringALocalAttempt(t *testing.T) {
	for name, tc := range map[string]struct {
		signal func(t *testing.T, object string)
		status enums.WorkflowExecutionStatus
		copied bool
	}{
		"none": {nil, completedStatus, true},
		"a request": {func(t *testing.T, object string) {
			t.Helper()
			sendMessage(t, fmt.Sprintf(`{"version":1,"data":{"id":"s3_%s","url":%q,"action":"put"}}`, east, object))
		}, completedStatus, true},
		"a purge": {func(t *testing.T, object string) {
			t.Helper()
			purge(t, east, object)
		}, canceledStatus, false},
	} {
		t.Run(name, func(t *testing.T) {
			k := startKillable(t, east)
			gate := make(chan struct{})
			s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
				select {
				case <-gate:
				case <-r.Context().Done():
				}
				s.serveObject(w, r)
			})
			object := s.object()
			require.False(t, ask(t, east, object, "?max_wait=0").isCopy())
			eventually(t, func() bool { return s.count(http.MethodGet) == 1 }, "StreamCopy runs")
			at := k.s3.stop(object, callHead, 0, false)
			close(gate)
			at.wait(t, "UpdateCache HEADs the copy")
			if tc.signal != nil {
				bridges := []string{stack.WorkerName(west), stack.WorkerName(central)}
				waitEmptyQueue(t)
				before := metric(t, "cloud_mirror_messages_total", bridges...)
				tc.signal(t, object)
				eventually(t, func() bool { return metric(t, "cloud_mirror_messages_total", bridges...) > before }, "the bridge signals")
			}
			k.s3.release()
			w := waitClosed(t, east, object, 1, tc.status)
			require.Equal(t, 1, s.count(http.MethodGet))
			refused, late := 0, 0
			for _, e := range events(t, w) {
				if e.GetWorkflowTaskFailedEventAttributes().GetCause() == enums.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND {
					refused++
				}
			}
			for _, l := range localAttempts(t, w) { // On a busy machine, the signal may be late
				if l.late() {
					late++
				}
			}
			if tc.signal == nil {
				require.Zero(t, refused+late)
			} else {
				require.Positive(t, refused+late)
			}
			require.Equal(t, tc.copied, head(t, east, object).status == http.StatusOK)
			if tc.copied {
				requireCopy(t, s, east, ask(t, east, object, "?max_wait=0"))
			}
			k.terminate(t)
			require.NoError(t, sys.Resume(stack.WorkerName(east)))
			if !tc.copied { // A purge leaves no entry that keeps the next client from a copy.
				requireCopy(t, s, east, ask(t, east, object, ""))
			}
		})
	}
}
