package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflow/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

const west, east, central = "us-west-2", "us-east-1", "eu-central-1"

func TestFirstRequestMissesAndSecondHits(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	first := ask(t, west, object, "")
	requireCopy(t, s, west, first)
	require.Equal(t, "cloud-mirror; fwd=miss", first.header.Get("Cache-Status"))
	// Through the other front end.
	second := do(t, http.MethodGet, redirectURL(1, west, object, ""), "")
	requireCopy(t, s, west, second)
	require.Equal(t, "cloud-mirror; hit", second.header.Get("Cache-Status"))
	require.Equal(t, 1, s.count(http.MethodGet))

	head := do(t, http.MethodHead, redirectURL(0, west, object, ""), "")
	require.Equal(t, 302, head.status)
	resp, err := http.Head(head.location)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
	require.EqualValues(t, len(s.body), resp.ContentLength)
	require.NotContains(t, fmt.Sprint(resp.Header), secret)

	w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	require.Equal(t, "CopyObject", w.GetType().GetName())
	require.Equal(t, "copy-s3_us-west-2", w.GetTaskQueue())
	require.Equal(t, []string{"HeadSource", "StreamCopy", "UpdateCache"}, scheduled(t, w))
	for name, want := range map[string]string{
		"MirrorService": `"s3"`, "MirrorRegion": `"us-west-2"`, "MirrorHost": `"` + strings.TrimPrefix(s.URL, "http://") + `"`,
		"MirrorBytes": "", "MirrorAttempts": "",
	} {
		require.Equal(t, want, searchAttribute(w, name), name)
	}

	// Each region has its own copy.
	requireCopy(t, s, east, ask(t, east, object, ""))
	require.Equal(t, 2, s.count(http.MethodGet))
}

func TestObjectOfManyParts(t *testing.T) {
	s := newSource(t, 3*32<<20+12345, nil)
	object := s.object()
	requireCopy(t, s, central, ask(t, central, object, ""))
	w := waitClosed(t, central, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	require.Equal(t, fmt.Sprint(len(s.body)), searchAttribute(w, "MirrorBytes"))
	require.Equal(t, `"1"`, searchAttribute(w, "MirrorAttempts"))
}

func TestManyClientsMakeOneCopy(t *testing.T) {
	release := make(chan struct{})
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		<-release // All clients must wait before the copy starts.
		s.serveObject(w, r)
	})
	object := s.object()
	waitEmptyQueue(t)
	before := metric(t, "cloud_mirror_messages_total", workers()...)
	const clients = 200
	var wg sync.WaitGroup
	answers := make(chan answer, clients)
	for i := range clients {
		wg.Go(func() {
			if a, err := request(http.MethodGet, redirectURL(i%2, west, object, ""), ""); err == nil {
				answers <- a
			}
		})
	}
	eventually(t, func() bool {
		return metric(t, "cloud_mirror_waiting_clients", "frontend-1", "frontend-2") == clients
	}, "all clients wait")
	close(release)
	wg.Wait()
	close(answers)
	require.Len(t, answers, clients)
	for a := range answers {
		require.Equal(t, 302, a.status)
		require.True(t, a.isCopy(), "%+v", a.body)
	}
	require.Equal(t, 1, s.count(http.MethodGet))
	require.InDelta(t, 1, metric(t, "cloud_mirror_messages_total", workers()...)-before, 0)
	workflows(t, west, object, 1)
}

func TestRetryUntilTheSourceRecovers(t *testing.T) {
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if n <= 2 {
			http.Error(w, "sorry, "+secret, http.StatusServiceUnavailable)
			return
		}
		s.serveObject(w, r)
	})
	object := s.object()
	requireCopy(t, s, west, ask(t, west, object, ""))
	w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	done := activities(t, w)["StreamCopy"]
	require.EqualValues(t, 3, done.attempts)
	require.Contains(t, done.lastFailure.String(), "Unexpected HTTP Status: 503")
}

func TestMissingSource(t *testing.T) {
	s := newSource(t, 0, func(_ *source, w http.ResponseWriter, _ *http.Request, _ int) {
		http.Error(w, "nothing here, "+secret, http.StatusNotFound)
	})
	object := s.object()
	for range 3 {
		a := ask(t, west, object, "")
		require.Equal(t, 404, a.status)
		require.Equal(t, "Unexpected HTTP Status: 404", a.body.Msg)
		require.Equal(t, "BadHTTPStatus", a.body.Err)
	}
	w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	all := events(t, w)
	failure := all[len(all)-1].GetWorkflowExecutionFailedEventAttributes().GetFailure()
	require.Equal(t, "BadHTTPStatus", failure.GetApplicationFailureInfo().GetType())
	require.Equal(t, 1, s.count(http.MethodGet), "requests to a source that answers 404")
	require.Zero(t, s.count(http.MethodHead))
	require.Equal(t, []string{"HeadSource", "StreamCopy", "UpdateCache"}, scheduled(t, w))
	for name, want := range map[string]string{
		"MirrorErrorClass": `"BadHTTPStatus-404"`, "MirrorHTTPStatus": "404", "MirrorAttempts": `"1"`, "MirrorBytes": "",
	} {
		eventually(t, func() bool { return searchAttribute(workflows(t, west, object, 1)[0], name) == want }, name)
	}
	details := currentDetails(t, w)
	require.Contains(t, details, "**BadHTTPStatus, status 404**")
	require.Contains(t, details, "cloud-mirror copies retry '"+w.GetExecution().GetWorkflowId()+"'")
	require.NotContains(t, details, secret)
}

// searchAttribute returns the JSON of a search attribute, or an empty string.
func searchAttribute(w *workflow.WorkflowExecutionInfo, name string) string {
	return string(w.GetSearchAttributes().GetIndexedFields()[name].GetData())
}

// currentDetails returns the details that a worker shows of a run in the Web UI.
func currentDetails(t *testing.T, w *workflow.WorkflowExecutionInfo) string {
	t.Helper()
	e := w.GetExecution()
	value, err := sys.temporal.QueryWorkflow(t.Context(), e.GetWorkflowId(), e.GetRunId(), "__temporal_workflow_metadata")
	require.NoError(t, err)
	var m sdk.WorkflowMetadata
	require.NoError(t, value.Get(&m))
	return m.GetCurrentDetails()
}

func TestDisallowedHop(t *testing.T) {
	s := newSource(t, 0, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
		http.Redirect(w, r, "http://10.1.2.3/"+secret, http.StatusFound)
	})
	a := ask(t, west, s.object(), "")
	require.Equal(t, 403, a.status)
	require.Equal(t, "InvalidUrl", a.body.Err)
}

func TestOperatorResetsFailedWorkflow(t *testing.T) {
	var repaired sync.Map
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		if _, ok := repaired.Load("yes"); !ok {
			w.WriteHeader(http.StatusGone)
			return
		}
		s.serveObject(w, r)
	})
	object := s.object()
	require.Equal(t, 410, ask(t, west, object, "").status)
	w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	repaired.Store("yes", true)
	temporalCLI(t, "workflow", "reset", "--type", "FirstWorkflowTask", "--reason", "source is repaired",
		"--workflow-id", w.GetExecution().GetWorkflowId())
	waitClosed(t, west, object, 2, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	a := ask(t, west, object, "")
	requireCopy(t, s, west, a)
	require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
}

func temporalCLI(t *testing.T, args ...string) {
	t.Helper()
	program, err := tools.Tools{Root: "../../.."}.Temporal(t.Context())
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, append(args, "--address", sys.TemporalAddress())...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestFlushedRedisCostsOneHead(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	requireCopy(t, s, west, ask(t, west, object, ""))
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	defer r.Close()
	require.NoError(t, r.FlushAll(t.Context()).Err())
	before := metric(t, "cloud_mirror_backfills_total", "frontend-1")

	a := ask(t, west, object, "")
	requireCopy(t, s, west, a)
	require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
	require.InDelta(t, 1, metric(t, "cloud_mirror_backfills_total", "frontend-1")-before, 0)
	require.Equal(t, 1, s.count(http.MethodGet))
	workflows(t, west, object, 1)
}

func TestPurge(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	first := ask(t, west, object, "")
	requireCopy(t, s, west, first)
	elsewhere := ask(t, east, object, "")
	requireCopy(t, s, east, elsewhere)

	purge(t, west, object)
	status, _, _ := fetch(t, first.location)
	require.Equal(t, 404, status)
	again := ask(t, west, object, "")
	requireCopy(t, s, west, again)
	require.Equal(t, "cloud-mirror; fwd=miss", again.header.Get("Cache-Status"))
	require.Equal(t, 3, s.count(http.MethodGet))
	status, _, _ = fetch(t, elsewhere.location)
	require.Equal(t, 200, status, "another region's copy was purged")

	purge(t, "all", object)
	for _, a := range []answer{again, elsewhere} {
		status, _, _ := fetch(t, a.location)
		require.Equal(t, 404, status)
	}
}

func TestPurgeCancelsARunningCopy(t *testing.T) {
	s := newSlowSource(t, 40<<20)
	object := s.object()
	require.False(t, ask(t, west, object, "?max_wait=0").isCopy())
	eventually(t, func() bool { return s.count(http.MethodGet) == 2 }, "the copy runs")
	purge(t, west, object)
	w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_CANCELED)
	require.Equal(t, []string{"HeadSource", "StreamCopy", "StreamCopy", "AbortUpload", "UpdateCache"}, scheduled(t, w))
	ended := false
	for _, e := range events(t, w) {
		ended = ended || e.GetEventType() == enums.EVENT_TYPE_ACTIVITY_TASK_CANCELED
		if activityOf(t, e) == "UpdateCache" {
			require.True(t, ended, "UpdateCache was scheduled while StreamCopy could still store the copy")
		}
	}
	requireCopy(t, s, west, ask(t, west, object, ""))
}
