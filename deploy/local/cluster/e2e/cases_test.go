package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

const west, east = "us-west-2", "us-east-1"

func TestFirstRequestCopiesAndNextHits(t *testing.T) {
	s := newSource(t)
	object := s.object(1000)
	first := ask(t, west, object)
	requireCopy(t, s, west, object, first)
	require.Equal(t, "cloud-mirror; fwd=miss", first.header.Get("Cache-Status"))
	for range 4 { // nginx takes the front ends in turn.
		next := ask(t, west, object)
		requireCopy(t, s, west, object, next)
		require.Equal(t, "cloud-mirror; hit", next.header.Get("Cache-Status"))
	}
	require.Equal(t, 1, s.gets(object))
	waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	for _, region := range stack.Regions()[1:] {
		requireCopy(t, s, region, object, ask(t, region, object))
	}
}

func TestMissingSource(t *testing.T) {
	s := newSource(t)
	object := s.object(1000)
	s.answers(object, http.StatusNotFound)
	for range 3 {
		a := ask(t, east, object)
		require.Equal(t, 404, a.Status)
		require.Equal(t, "BadHTTPStatus", a.body.Err)
	}
	require.Equal(t, 1, s.gets(object))
	waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
}

func TestPurge(t *testing.T) {
	s := newSource(t)
	object := s.object(1000)
	first := ask(t, west, object)
	requireCopy(t, s, west, object, first)
	a, err := request(t.Context(), http.MethodDelete, "purge", west, object, standardWait)
	require.NoError(t, err)
	require.Equal(t, 204, a.Status)
	require.Equal(t, 404, download(t.Context(), first.Location).Status)
	var again answer
	// Every front end knows a purge within 100 ms, and nginx takes them in turn.
	eventually(t, func() bool {
		again = ask(t, west, object)
		return again.Downloaded != nil && again.Downloaded.Status == http.StatusOK
	}, "no front end leads to the purged copy")
	requireCopy(t, s, west, object, again)
	require.Equal(t, "cloud-mirror; fwd=miss", again.header.Get("Cache-Status"))
	require.Equal(t, 2, s.gets(object))
}

func TestLargeObjectIsCopiedInParts(t *testing.T) {
	s := newSource(t)
	object := s.object(25*mib + 4321)
	requireCopy(t, s, west, object, ask(t, west, object))
	require.Greater(t, s.gets(object), 2, "GETs of ranges")
	waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
}

func TestFailedCopyIsRetriedByTheCLI(t *testing.T) {
	s := newSource(t)
	object := s.object(1000)
	s.answers(object, http.StatusGone)
	require.Equal(t, 410, ask(t, west, object).Status)
	w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	s.answers(object, 0)
	temporalCLI(t, "workflow", "reset", "--type", "FirstWorkflowTask", "--reason", "source is repaired",
		"--workflow-id", w.GetExecution().GetWorkflowId())
	waitClosed(t, west, object, 2, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	a := ask(t, west, object)
	requireCopy(t, s, west, object, a)
	require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
}

func TestHundredClientsMakeOneCopy(t *testing.T) {
	s := newSource(t)
	object := s.object(1000)
	release := s.holds(object)
	const crowd = 100
	answers := make([]answer, crowd)
	errs := make([]error, crowd)
	var wait sync.WaitGroup
	for i := range crowd {
		wait.Go(func() {
			answers[i], errs[i] = request(t.Context(), http.MethodGet, "redirect", west, object, standardWait)
		})
	}
	eventually(t, func() bool { return waiting(t) == crowd }, "all clients wait")
	release()
	wait.Wait()
	for i, a := range answers {
		require.NoError(t, errs[i])
		requireCopy(t, s, west, object, a)
	}
	require.Equal(t, 1, s.gets(object))
	workflows(t, west, object, 1)
}

// waiting is how many clients wait at the front ends.
func waiting(t *testing.T) (sum int) {
	t.Helper()
	for i := range sys.pings {
		text := page(t, sys.AdminURL(stack.FrontEndName(i))+"/metrics")
		for line := range strings.Lines(text) {
			var n float64
			if _, err := fmt.Sscanf(line, "cloud_mirror_waiting_clients %g", &n); err == nil {
				sum += int(n)
			}
		}
	}
	return sum
}

// workflows lists the runs of an object's workflow in a region, newest first. It waits until there
// are want runs. More are a failure.
func workflows(t *testing.T, region, object string, want int) []*workflow.WorkflowExecutionInfo {
	t.Helper()
	prefix := "s3_" + region + "/" + strings.TrimPrefix(object, "http://") + "/"
	var found []*workflow.WorkflowExecutionInfo
	eventually(t, func() bool {
		out, err := sys.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: sys.TemporalNamespace(), Query: fmt.Sprintf("WorkflowId STARTS_WITH '%s'", prefix),
		})
		require.NoError(t, err)
		found = out.GetExecutions()
		return len(found) >= want
	}, "workflows of "+prefix)
	require.Len(t, found, want)
	return found
}

func waitClosed(t *testing.T, region, object string, runs int, want enums.WorkflowExecutionStatus) *workflow.WorkflowExecutionInfo {
	t.Helper()
	var w *workflow.WorkflowExecutionInfo
	eventually(t, func() bool {
		w = workflows(t, region, object, runs)[0]
		return w.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	}, "the run has closed")
	require.Equal(t, want.String(), w.GetStatus().String())
	return w
}

func temporalCLI(t *testing.T, args ...string) {
	t.Helper()
	root, err := stack.FindRoot(".")
	require.NoError(t, err)
	program, err := tools.Tools{Root: root}.Temporal(t.Context())
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(stack.UserEnv(), sys.Env()...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
