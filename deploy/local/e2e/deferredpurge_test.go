package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// purges lists the runs of PurgeCopy for an object in west.
func purges(t *testing.T, object string) []*workflow.WorkflowExecutionInfo {
	t.Helper()
	query := fmt.Sprintf("WorkflowType = 'PurgeCopy' AND MirrorHost = '%s'", strings.Split(object, "/")[2])
	out, err := sys.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default", Query: query})
	require.NoError(t, err)
	return out.GetExecutions()
}

// brokenFrontEnd starts a front end that can't reach west's bucket, or redis.
func brokenFrontEnd(t *testing.T, redis bool) *process {
	t.Helper()
	closed := newRelay(t, "127.0.0.1:1", nil)
	config := editedConfig(t, func(c settingsTree) {
		if redis {
			c.set(t, "redis.url", "redis://"+closed.addr+"/0")
		} else {
			c.setEndpoint(t, west, "http://"+closed.addr)
		}
	})
	return startProcess(t, "broken-frontend", sys.Binary(), []string{"frontend", "--config", config})
}

// TestPurgeIsFinishedByAWorkflow purges objects while S3 or redis is down. No worker runs at first:
// the object stays, which is the control.
func TestPurgeIsFinishedByAWorkflow(t *testing.T) {
	for name, redis := range map[string]bool{"S3 is down": false, "redis is down": true} {
		t.Run(name, func(t *testing.T) { deferPurge(t, redis) })
	}
}

// deferPurge purges an object while its bucket, or redis, is down. It returns the run of PurgeCopy.
func deferPurge(t *testing.T, redis bool) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s := newRanged(t, 1000, nil)
	object := s.object()
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	p := brokenFrontEnd(t, redis)
	require.NoError(t, sys.Stop(stack.WorkerName(west)))
	target := "http://" + p.listen + "/v1/purge/s3/" + west + "/" + url.QueryEscape(object)
	a := do(t, http.MethodDelete, target, stack.PurgeToken)
	require.Equal(t, 202, a.status)
	require.NotEmpty(t, a.body.Msg)
	require.InDelta(t, 1, metricAt(t, "cloud_mirror_deferred_purges_total", "http://"+p.admin), 0)
	_, stderr, err := cli(t, "purge", "--server=http://"+p.listen, "--region", west, "--token", stack.PurgeToken, object)
	require.NoError(t, err)
	require.Contains(t, stderr, "202 Accepted")
	eventually(t, func() bool { return len(purges(t, object)) > 0 }, "the bridge of another region starts the workflow")
	require.Equal(t, 200, head(t, west, object).status)

	s.change()
	require.NoError(t, sys.Resume(stack.WorkerName(west)))
	eventually(t, func() bool { return head(t, west, object).status == 404 }, "the copy is deleted")
	eventually(t, func() bool {
		runs := purges(t, object) // The newest is first
		for i, w := range runs {
			// Without redis, the second purge replaces the run of the first.
			replaced := redis && i > 0 && w.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_TERMINATED
			if w.GetStatus() != completedStatus && !replaced {
				return false
			}
		}
		return true
	}, "all purges are finished")
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	return purges(t, object)[0]
}

// finishedPurgeShape finishes a purge that failed at the bucket.
func finishedPurgeShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	return deferPurge(t, false)
}
