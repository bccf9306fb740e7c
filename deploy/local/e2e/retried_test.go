package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// copyStatus is the answer of /v1/status.
type copyStatus struct {
	Status, WorkflowID string
	Attempts           int
	NextRetry          time.Time
}

func attemptsOf(t *testing.T, object string) (s copyStatus) {
	t.Helper()
	code, body, _ := fetch(t, sys.FrontEndURLs()[0]+"/v1/status/s3/"+west+"/"+url.QueryEscape(object))
	require.Equal(t, http.StatusOK, code, "%s", body)
	require.NoError(t, json.Unmarshal(body, &s))
	return s
}

// TestRetriedCopyIsFoundFromItsAnswer has a source fail twice. The status tells how many attempts there
// were, and when the next attempt is. The header of the answer names a workflow that Temporal knows.
func TestRetriedCopyIsFoundFromItsAnswer(t *testing.T) {
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if n <= 2 {
			w.Header().Set("Retry-After", strconv.Itoa(4*n)) // Above 10 s, clients get the source at once.
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s.serveObject(w, r)
	})
	object := s.object()
	first := ask(t, west, object, "?max_wait=0")
	require.False(t, first.isCopy())
	id := first.header.Get("Cloud-Mirror-Workflow-Id")
	require.Equal(t, strings.TrimSpace(mustOperate(t, "workflow-id", "-r", west, object)), id)

	for attempts := 1; attempts <= 2; attempts++ {
		var status copyStatus
		eventually(t, func() bool {
			status = attemptsOf(t, object)
			return status.Attempts == attempts && !status.NextRetry.IsZero()
		}, "the status tells the next attempt")
		require.Equal(t, copyStatus{"pending", id, attempts, status.NextRetry}, status)
		var scheduled *timestamppb.Timestamp
		eventually(t, func() bool {
			described, err := sys.temporal.DescribeWorkflowExecution(background(t), id, "")
			for _, a := range described.GetPendingActivities() {
				if int(a.GetAttempt()) == attempts+1 { // Temporal has heard of the failure.
					scheduled = a.GetNextAttemptScheduleTime()
				}
			}
			return err == nil && scheduled != nil
		}, "Temporal schedules the next attempt of the workflow")
		require.WithinDuration(t, scheduled.AsTime(), status.NextRetry, time.Second)
	}
	shown := mustOperate(t, "status", "--server", sys.FrontEndURLs()[0], "-r", west, object)
	require.Regexp(t, `^pending.*, attempt 2, next attempt at 20\S+Z\nworkflow: `, shown)
	require.Contains(t, shown, "\nworkflow: "+id+"\n")

	made := ask(t, west, object, "")
	requireCopy(t, s, west, made)
	require.Equal(t, "cloud-mirror; fwd=miss", made.header.Get("Cache-Status"))
	require.Equal(t, id, made.header.Get("Cloud-Mirror-Workflow-Id"))
	hit := ask(t, west, object, "")
	require.Equal(t, "cloud-mirror; hit", hit.header.Get("Cache-Status"))
	require.Empty(t, hit.header.Get("Cloud-Mirror-Workflow-Id"))
	require.Equal(t, copyStatus{Status: "present", WorkflowID: id}, attemptsOf(t, object))
	require.Equal(t, 3, s.count(http.MethodGet))
}
