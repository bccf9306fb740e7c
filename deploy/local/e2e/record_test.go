package e2e

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// recordEnv names the folder that TestHistoryShapes records histories into, one file for each
// shape. It never overwrites a file: a history of an earlier version must replay as long as such a
// workflow may run. To record a version:
//
//	make record-histories VERSION=2006-01-02-word
//
// VERSION is the date and, if there is a folder of that name, a word about the change.
const recordEnv = "CM_TEST_RECORD"

const (
	completedStatus = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failedStatus    = enums.WORKFLOW_EXECUTION_STATUS_FAILED
	canceledStatus  = enums.WORKFLOW_EXECUTION_STATUS_CANCELED
)

// shape is a course that a workflow can take.
type shape struct {
	name       string
	run        func(t *testing.T) *workflow.WorkflowExecutionInfo // Returns the closed run
	activities string                                             // In order of scheduling
	onlyRecord bool                                               // It takes long, or another test takes the run through it
}

// TestHistoryShapes takes a workflow through every shape that package workflows replays, and
// records the histories if [recordEnv] is set.
func TestHistoryShapes(t *testing.T) {
	dir := os.Getenv(recordEnv)
	for _, s := range []shape{
		{"completed", completedShape, "HeadSource StreamCopy UpdateCache", false},
		{"existing", existingShape, "HeadSource UpdateCache", false},
		{"retried", retriedShape, "HeadSource StreamCopy UpdateCache", false},
		{"failed", failedShape, "HeadSource StreamCopy UpdateCache", false},
		{"digest", digestShape, "HeadSource StreamCopy StreamCopy UpdateCache", false},
		{"large", largeShape, "HeadSource StreamCopy StreamCopy UpdateCache", false},
		{"resumed", resumedShape, "HeadSource StreamCopy StreamCopy UpdateCache", false},
		{"rerun", rerunShape, "HeadSource StreamCopy StreamCopy StreamCopy UpdateCache", true},
		{"changed", changedShape, "HeadSource StreamCopy StreamCopy UpdateCache", false},
		{"cancelled", cancelledShape, "HeadSource StreamCopy StreamCopy AbortUpload UpdateCache", false},
		{"purged", purgedShape, "HeadSource StreamCopy StreamCopy AbortUpload UpdateCache", false},
		{"again", againShape, "HeadSource StreamCopy StreamCopy AbortUpload HeadSource StreamCopy StreamCopy UpdateCache", false},
		{"continued", continuedShape, strings.TrimSpace(strings.Repeat("HeadSource StreamCopy ", maxRounds)), true},
		{"raised", raisedShape, "HeadSource StreamCopy StreamCopy StreamCopy UpdateCache", false},
		{"small", smallShape, "HeadSource StreamCopy UpdateCache", false},
		{"lowered", loweredShape, "HeadSource StreamCopy HeadSource StreamCopy UpdateCache", false},
		{"swept", sweptShape, "SweepUploads", false},
		{"audited", auditedShape, "Audit", false},
		{"refreshed", refreshedShape, "Refresh", false},
		{"missing", missingShape, "HeadSource StreamCopy UpdateCache UpdateCache", false},
		{"operator", operatorShape, "HeadSource StreamCopy UpdateCache", false},
		{"paused", pausedShape, "HeadSource StreamCopy UpdateCache", false},
		{"timedout", timedOutShape, "HeadSource StreamCopy StreamCopy AbortUpload UpdateCache", false},
		{"server", serverShape, "HeadSource StreamCopy StreamCopy UpdateCache", false},
		{"finishedpurge", finishedPurgeShape, "PurgeCopy", false},
		{"looklost", lookLostShape, "HeadSource StreamCopy UpdateCache", true},
		{"publishlost", publishLostShape, "HeadSource StreamCopy UpdateCache", true},
		{"lookagain", lookAgainShape, "HeadSource HeadSource StreamCopy UpdateCache", false},
		{"publishagain", publishAgainShape, "HeadSource StreamCopy UpdateCache UpdateCache", false},
	} {
		if s.onlyRecord && dir == "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			w := s.run(t)
			require.Equal(t, s.activities, strings.Join(scheduled(t, w), " "))
			if dir != "" {
				record(t, w, filepath.Join(dir, s.name+".json"))
			}
		})
	}
}

// record writes a run's history to a new file.
func record(t *testing.T, w *workflow.WorkflowExecutionInfo, file string) {
	t.Helper()
	program, err := tools.Tools{Root: "../../.."}.Temporal(t.Context())
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, "workflow", "show", "--address", sys.TemporalAddress(), "--output", "json",
		"--workflow-id", w.GetExecution().GetWorkflowId(), "--run-id", w.GetExecution().GetRunId())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	require.NotContains(t, out.String(), secret)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	require.NoError(t, err)
	_, err = out.WriteTo(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func completedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	return copyOf(t, newRanged(t, 1000, nil).source)
}

// existingShape repeats a workflow whose copy is in the bucket, like a message that is delivered
// twice.
func existingShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s := newRanged(t, 1000, nil)
	object := s.object()
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	first := waitClosed(t, west, object, 1, completedStatus)
	input := events(t, first)[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()
	require.Len(t, input, 1)
	run, err := sys.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: first.GetExecution().GetWorkflowId(), TaskQueue: first.GetTaskQueue(),
	}, first.GetType().GetName(), converter.NewRawValue(input[0]))
	require.NoError(t, err)
	require.NoError(t, run.Get(background(t), nil))
	return waitClosed(t, west, object, 2, completedStatus)
}

// copyOf requires a copy of the source's object, and returns its workflow.
func copyOf(t *testing.T, s *source) *workflow.WorkflowExecutionInfo {
	t.Helper()
	object := s.object()
	requireCopy(t, s, west, ask(t, west, object, ""))
	return waitClosed(t, west, object, 1, completedStatus)
}

// retriedShape has the first two requests fail.
func retriedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if n <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serve(w, r, s.body, `"v1"`)
	})
	return copyOf(t, s)
}

func failedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s := newSource(t, 0, func(_ *source, w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusNotFound) })
	object := s.object()
	require.Equal(t, 404, ask(t, west, object, "").status)
	return waitClosed(t, west, object, 1, failedStatus)
}

// digestShape requests a digest that the source does not have.
func digestShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s := newRanged(t, 12*mib, nil)
	object := s.object()
	require.False(t, ask(t, west, object, "?sha256="+strings.Repeat("0a", 32)).isCopy())
	return waitClosed(t, west, object, 1, completedStatus)
}

func largeShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	return copyOf(t, newRanged(t, 12*mib, nil).source)
}

// resumedShape has the source fail once in the middle of a copy, so that the next attempt resumes.
func resumedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	w := copyOf(t, newRefusing(t, 1))
	done := activities(t, w)["StreamCopy"]
	require.EqualValues(t, 2, done.attempts)
	require.Positive(t, done.result.Resumed)
	return w
}

// rerunShape has the source fail for all attempts of a StreamCopy, so that the workflow runs
// StreamCopy again.
func rerunShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	const attempts = 8 // See workflows.StreamCopyPolicy
	s := newRefusing(t, attempts)
	object := s.object()
	until := time.Now().Add(8 * time.Minute)
	for !ask(t, west, object, "").isCopy() {
		require.True(t, time.Now().Before(until), "no copy")
	}
	w := waitClosed(t, west, object, 1, completedStatus)
	require.Positive(t, activities(t, w)["StreamCopy"].result.Resumed)
	return w
}

// newRefusing serves three parts. It refuses the second part, and then the whole object, until it
// has refused the whole object the given number of times. Each time ends an attempt.
func newRefusing(t *testing.T, times int64) *source {
	t.Helper()
	var parts, wholes atomic.Int64
	return newSource(t, 12*mib, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		asked := r.Header.Get("Range")
		refused := false
		switch {
		case wholes.Load() >= times:
		case strings.HasPrefix(asked, "bytes=5242880-"):
			parts.Add(1)
			refused = true
		case asked == "" && parts.Load() > 0:
			wholes.Add(1)
			refused = true
		}
		if refused {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serve(w, r, s.body, `"v1"`)
	})
}

// changedShape has the source change between the first request and the ranges.
func changedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s := newSource(t, 12*mib, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			serve(w, r, s.body, `"v1"`)
			return
		}
		serve(w, r, s.body, `"v2"`)
	})
	return copyOf(t, s)
}

// cancelledShape has an operator cancel a copy in parts.
func cancelledShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	_, object, gate := halfCopied(t, west)
	defer close(gate)
	w := workflows(t, west, object, 1)[0]
	require.NoError(t, sys.temporal.CancelWorkflow(t.Context(), w.GetExecution().GetWorkflowId(), ""))
	return waitClosed(t, west, object, 1, canceledStatus)
}

func purgedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	_, object, gate := halfCopied(t, west)
	defer close(gate)
	purge(t, west, object)
	return waitClosed(t, west, object, 1, canceledStatus)
}

// againShape purges a copy in parts while a client waits for it.
func againShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s, object, gate := halfCopied(t, west)
	answered := make(chan answer, 1)
	go func() {
		a, _ := request(http.MethodGet, redirectURL(0, west, object, ""), "")
		answered <- a
	}()
	eventually(t, func() bool { return metric(t, "cloud_mirror_waiting_clients", "frontend-1") >= 1 }, "the client waits")
	purge(t, west, object)
	eventually(t, func() bool { return len(scheduled(t, workflows(t, west, object, 1)[0])) > 4 }, "the copy is made again")
	close(gate)
	requireCopy(t, s.source, west, <-answered)
	return waitClosed(t, west, object, 1, completedStatus)
}

// maxRounds is how many copies a run makes before the next run continues: see package workflows.
const maxRounds = 20

// continuedShape purges and requests an object during each of a run's copies, until another run
// continues.
func continuedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if n <= maxRounds {
			<-r.Context().Done() // The purge cancels the copy.
			return
		}
		serve(w, r, s.body, `"v1"`)
	})
	object := s.object()
	require.False(t, ask(t, west, object, "?max_wait=0").isCopy())
	for round := range maxRounds {
		eventually(t, func() bool { return s.count(http.MethodGet) == round+1 }, "a copy runs")
		id := workflows(t, west, object, 1)[0].GetExecution().GetWorkflowId()
		require.NoError(t, sys.temporal.SignalWorkflow(t.Context(), id, "", "request", map[string]any{}))
		purge(t, west, object)
	}
	requireCopy(t, s, west, ask(t, west, object, ""))
	runs := workflows(t, west, object, 2)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW.String(), runs[1].GetStatus().String())
	return runs[1]
}

func sweptShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	id := "sweep of " + t.Name()
	run, err := sys.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: "copy-s3_" + west,
	}, "SweepUploads", map[string]any{"olderThan": time.Hour})
	require.NoError(t, err)
	require.NoError(t, run.Get(background(t), nil))
	out, err := sys.temporal.DescribeWorkflowExecution(t.Context(), id, run.GetRunID())
	require.NoError(t, err)
	require.Equal(t, completedStatus, out.GetWorkflowExecutionInfo().GetStatus())
	return out.GetWorkflowExecutionInfo()
}

// serve answers like a source with ranges and a strong ETag.
func serve(w http.ResponseWriter, r *http.Request, body []byte, etag string) {
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/x-test")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// raisedShape has a list, and then a client, request a copy that waits for a slot of a worker. The
// activity that waits at low priority is scheduled again.
func raisedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	gate := make(chan struct{})
	s := newRanged(t, 9*mib, after(0, gate))
	// More copies than a worker has slots for large objects, with the memory of settings
	for range 32 {
		other := s.object()
		require.False(t, ask(t, central, other, "?max_wait=0").isCopy())
		eventually(t, func() bool { return len(priorities(t, other)) == 2 }, "the copy needs a slot for large objects")
	}

	object := s.object()
	postList(t, `{"url":"`+object+`","regions":["`+central+`"]}`)
	eventually(t, func() bool { return slices.Equal([]int32{5, 5, 5}, priorities(t, object)) }, "the list's copy waits for a slot")

	require.False(t, ask(t, central, object, "?max_wait=0s").isCopy())
	require.Equal(t, []int32{5, 5, 5}, priorities(t, object), "a client that does not wait raises nothing")
	require.False(t, ask(t, central, object, "?max_wait=1s").isCopy())
	eventually(t, func() bool { return slices.Equal([]int32{5, 5, 5, 0}, priorities(t, object)) }, "the priority is raised")
	close(gate)
	requireCopy(t, s.source, central, ask(t, central, object, ""))
	return waitClosed(t, central, object, 1, completedStatus)
}

// priorities returns the priorities of a copy into central's activities in the order of their scheduling.
func priorities(t *testing.T, object string) (keys []int32) {
	t.Helper()
	for _, e := range events(t, workflows(t, central, object, 1)[0]) {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			keys = append(keys, a.GetPriority().GetPriorityKey())
		}
	}
	return keys
}
