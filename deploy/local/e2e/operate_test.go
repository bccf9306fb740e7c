package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// operate runs a command of an operator on the stack, and returns what it prints.
func operate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	t.Setenv("CLOUD_MIRROR_CONFIG", sys.ConfigPath())
	stdout, stderr, err := cli(t, args...)
	require.NotContains(t, stdout+stderr, secret)
	return stdout + stderr, err
}

func mustOperate(t *testing.T, args ...string) string {
	t.Helper()
	out, err := operate(t, args...)
	require.NoError(t, err, out)
	return out
}

// TestOperatorRetriesWhatFailed has two objects that fail, one of them twice, and one that is copied.
func TestOperatorRetriesWhatFailed(t *testing.T) {
	var mended atomic.Bool
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		if !mended.Load() {
			http.Error(w, "gone", http.StatusGone)
			return
		}
		s.serveObject(w, r)
	})
	host := strings.TrimPrefix(s.URL, "http://")
	once, twice := s.object(), s.object()
	for _, object := range []string{once, twice} {
		require.Equal(t, 410, ask(t, west, object, "").status)
		waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	}
	id := strings.TrimSpace(mustOperate(t, "workflow-id", "-r", west, twice))
	require.Contains(t, mustOperate(t, "copies", "retry", id), id+": retried")
	waitClosed(t, west, twice, 2, enums.WORKFLOW_EXECUTION_STATUS_FAILED)

	var listed []string
	eventually(t, func() bool {
		listed = nil
		for line := range strings.Lines(mustOperate(t, "copies", "list", "--host", host, "--status", "Failed", "--json")) {
			if line == "2 copies: 2 BadHTTPStatus-410\n" {
				continue // On standard error
			}
			var r struct{ WorkflowID, ErrorClass string }
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			require.Equal(t, "BadHTTPStatus-410", r.ErrorClass)
			listed = append(listed, r.WorkflowID)
		}
		return len(listed) == 2
	}, "both objects are listed, each once")
	require.Contains(t, listed, id)
	shown := mustOperate(t, "copies", "show", "-r", west, twice)
	require.Contains(t, shown, "410")
	require.Contains(t, shown, "once the cause is mended: cloud-mirror copies retry '"+id+"'\n")
	require.Regexp(t, `(?m)^failed step +StreamCopy$`, shown)
	require.Regexp(t, `(?m)^attempts +1$`, shown)

	mended.Store(true)
	dry := mustOperate(t, "copies", "retry", "--host", host, "--dry-run")
	require.Equal(t, 2, strings.Count(dry, ": would be retried\n"), dry)
	require.Equal(t, 3, s.count(http.MethodGet), "a dry run changes nothing")
	done := mustOperate(t, "copies", "retry", "--host", host, "--class", "BadHTTPStatus", "--since", "1h")
	require.Equal(t, 2, strings.Count(done, ": retried\n"), done)
	waitClosed(t, west, once, 2, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	waitClosed(t, west, twice, 3, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	for _, object := range []string{once, twice} {
		requireCopy(t, s, west, ask(t, west, object, ""))
	}
	again := mustOperate(t, "copies", "retry", "--host", host)
	require.Equal(t, "no object matches\n", again, "their latest runs are completed")
	require.Equal(t, "no copies\n", mustOperate(t, "copies", "list", "--host", host, "--status", "Failed"))
	require.Contains(t, mustOperate(t, "copies", "list", "--host", host), "2 copies: 2 Completed\n")
	require.Contains(t, mustOperate(t, "copies", "retry", id), id+": skipped: its copy exists\n")
	require.Equal(t, 5, s.count(http.MethodGet), "each object is copied once")
	require.Contains(t, mustOperate(t, "copies", "show", id), "copied")
	id = strings.TrimSpace(mustOperate(t, "workflow-id", "-r", west, once))
	require.Equal(t, "present\nworkflow: "+id+"\n", mustOperate(t, "status", "--server", sys.FrontEndURLs()[0], "-r", west, once))

	out, err := operate(t, "copies", "retry", "s3_us-west-2/no/such/copy")
	require.Error(t, err)
	require.Contains(t, out, "s3_us-west-2/no/such/copy: failed: describe workflow: ")
}

// TestOperatorCancelsCopies cancels a copy that runs, and skips one that has ended.
func TestOperatorCancelsCopies(t *testing.T) {
	end := make(chan struct{})
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if n > 1 {
			<-end
		}
		s.serveObject(w, r)
	})
	t.Cleanup(func() { close(end) })
	copied, held := s.object(), s.object()
	requireCopy(t, s, west, ask(t, west, copied, ""))
	require.False(t, ask(t, west, held, "?max_wait=0").isCopy())
	eventually(t, func() bool { return s.count(http.MethodGet) == 2 }, "the second copy runs")
	require.Contains(t, mustOperate(t, "copies", "show", "-r", west, held), "StreamCopy")
	ids := []string{
		strings.TrimSpace(mustOperate(t, "workflow-id", "-r", west, copied)), strings.TrimSpace(mustOperate(t, "workflow-id", "-r", west, held)),
	}
	require.Contains(t, mustOperate(t, "copies", "retry", ids[1]), ids[1]+": skipped: it runs")
	out := mustOperate(t, append([]string{"copies", "cancel"}, ids...)...)
	require.Contains(t, out, ids[0]+": skipped: it does not run\n")
	require.Contains(t, out, ids[1]+": cancellation requested\n")
	waitClosed(t, west, held, 1, enums.WORKFLOW_EXECUTION_STATUS_CANCELED)
}

// TestOperatorCopies copies an object in parts, one that runs already, one that fails, and one that
// may not be copied.
func TestOperatorCopies(t *testing.T) {
	s := newRanged(t, 40_000_000, nil)
	s.rate.Store(&sharedRate{perSecond: 10e6})
	object := s.object()
	out := mustOperate(t, "copy", "-r", west, object)
	require.Regexp(t, `StreamCopy, attempt 1: [\d.]+ MiB of 38 MiB \([1-9]\d? %\) stored, [\d.]+ MiB/s, \d+s left\n`, out)
	require.Regexp(t, `result +copied\n`, out)
	requireCopy(t, s.source, west, ask(t, west, object, ""))

	end := make(chan struct{})
	held := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		if r.Method == http.MethodGet {
			<-end
		}
		s.serveObject(w, r)
	})
	object = held.object()
	require.False(t, ask(t, west, object, "?max_wait=0").isCopy())
	eventually(t, func() bool { return held.count(http.MethodGet) == 1 }, "the copy runs")
	out, err := operate(t, "copy", "-r", west, "--wait", "1s", object)
	require.Error(t, err)
	require.Contains(t, out, "the wait ended, and the copy goes on")
	close(end)
	require.Regexp(t, `result +(copied|the bucket had the copy already)\n`, mustOperate(t, "copy", "-r", west, object))
	require.Equal(t, 1, held.count(http.MethodGet), "the object is copied once")

	gone := newSource(t, 1000, func(_ *source, w http.ResponseWriter, _ *http.Request, _ int) { http.Error(w, "gone", http.StatusGone) })
	out, err = operate(t, "copy", "-r", west, gone.object())
	require.Error(t, err)
	require.Contains(t, out, "410")
	require.Contains(t, out, "there is no copy")

	out, err = operate(t, "copy", "-r", west, "http://192.0.2.1/a.zip")
	require.Error(t, err)
	require.Contains(t, out, "not on the list of allowed sources")
	out, err = operate(t, "copy", "-r", "mars", gone.object())
	require.Error(t, err)
	require.Contains(t, out, "no pool s3_mars is configured")
}
