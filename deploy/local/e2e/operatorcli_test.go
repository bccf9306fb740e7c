package e2e

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

// heldCopy is a copy into west. Its StreamCopy runs until the gate is closed.
type heldCopy struct {
	*ranged
	object   string
	id       string // Of the workflow
	activity string
	gate     chan struct{}
}

// holdCopy starts a copy of a small object.
func holdCopy(t *testing.T) *heldCopy {
	t.Helper()
	h := &heldCopy{gate: make(chan struct{})}
	h.ranged = newRanged(t, 4*mib, after(0, h.gate))
	h.object = h.ranged.object()
	require.False(t, ask(t, west, h.object, "?max_wait=0").isCopy())
	h.id = workflows(t, west, h.object, 1)[0].GetExecution().GetWorkflowId()
	eventually(t, func() bool {
		p := h.pending(t)
		if p == nil || p.GetActivityType().GetName() != "StreamCopy" || h.open.Load() == 0 {
			return false
		}
		h.activity = p.GetActivityId()
		return true
	}, "the copy reads its source")
	return h
}

// pending returns the run's open activity, or nil.
func (h *heldCopy) pending(t *testing.T) *workflow.PendingActivityInfo {
	t.Helper()
	out, err := sys.temporal.DescribeWorkflowExecution(t.Context(), h.id, "")
	require.NoError(t, err)
	if len(out.GetPendingActivities()) == 0 {
		return nil
	}
	return out.GetPendingActivities()[0]
}

// act runs a command of `temporal activity` on the copy's StreamCopy.
func (h *heldCopy) act(t *testing.T, command string, args ...string) {
	t.Helper()
	temporalCLI(t, append([]string{"activity", command, "--workflow-id", h.id, "--activity-id", h.activity}, args...)...)
}

// entryOf returns the value of an object's cache entry, or an empty string.
func entryOf(t *testing.T, region, object string) string {
	t.Helper()
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	defer r.Close()
	value, err := r.Get(t.Context(), redisKey(region, object)).Result()
	if !errors.Is(err, redis.Nil) {
		require.NoError(t, err)
	}
	return value
}

// requireNoCopy checks that neither redis nor a front end claims a copy.
func requireNoCopy(t *testing.T, region, object string) {
	t.Helper()
	require.Equal(t, 404, head(t, region, object).status, "the test needs an object without a copy")
	require.NotContains(t, entryOf(t, region, object), "present")
	for i := range sys.FrontEndURLs() {
		a := do(t, "GET", redirectURL(i, region, object, "?max_wait=0"), "")
		require.False(t, a.isCopy(), "front end %d redirects to a missing copy: %+v", i, a.body)
	}
}

// failureOfRun returns the type and the message of a failed run's error.
func failureOfRun(t *testing.T, w *workflow.WorkflowExecutionInfo) (class, text string) {
	t.Helper()
	all := events(t, w)
	f := all[len(all)-1].GetWorkflowExecutionFailedEventAttributes().GetFailure()
	require.NotNil(t, f, "the run has not failed")
	return f.GetApplicationFailureInfo().GetType(), f.GetMessage()
}

// TestOperatorCannotPublishAMissingCopy completes StreamCopy by hand. The next request makes the
// copy, which is the control.
func TestOperatorCannotPublishAMissingCopy(t *testing.T) {
	for name, result := range map[string]string{
		"an empty result":    `{}`,
		"a small size":       `{"size":5}`,
		"a plausible result": `{"size":4194304,"way":"ranges","fetched":4194304,"crc64nvme":"AAAAAAAAAAA="}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := holdCopy(t)
			h.excepts(auditor.Fetches, "the command ends the attempt, and the next one reads again")
			h.act(t, "complete", "--result", result)
			w := waitClosed(t, west, h.object, 1, failedStatus)
			class, _ := failureOfRun(t, w)
			require.Equal(t, "CopyMissing", class)
			requireNoCopy(t, west, h.object)
			close(h.gate)
			eventually(t, func() bool { return ask(t, west, h.object, "").isCopy() }, "the next request makes the copy")
			requireCopy(t, h.source, west, ask(t, west, h.object, ""))
		})
	}
}

// startByHand starts a copy as an operator could, with an input, and waits for its end. It returns
// the run and the class of its failure, which is empty for a completed run.
func startByHand(t *testing.T, queue string, input map[string]any) (w *workflow.WorkflowExecutionInfo, class string) {
	t.Helper()
	text, err := json.Marshal(input)
	require.NoError(t, err)
	id := "by hand: " + t.Name()
	temporalCLI(t, "workflow", "start", "--type", "CopyObject", "--task-queue", queue, "--workflow-id", id, "--input", string(text))
	eventually(t, func() bool {
		out, err := sys.temporal.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		w = out.GetWorkflowExecutionInfo()
		return w.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	}, "the run ends")
	if w.GetStatus() == failedStatus {
		class, _ = failureOfRun(t, w)
	}
	return w, class
}

// TestInputIsChecked starts runs with wrong inputs. Each fails at its first attempt, and changes
// nothing. The first case is the control.
func TestInputIsChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		region string // Of the task queue
		change func(source map[string]any)
		sha256 string
		class  string
	}{
		"a good input":     {west, func(map[string]any) {}, "", ""},
		"wrong task queue": {east, func(map[string]any) {}, "", "WrongPool"},
		"unknown service":  {west, func(s map[string]any) { s["service"] = "gcs" }, "", "WrongPool"},
		"wrong hash":       {west, func(s map[string]any) { s["hash"] = strings.Repeat("0a", 32) }, "", "InvalidInput"},
		"empty URL":        {west, func(s map[string]any) { s["url"], s["hash"] = "", hashOf("") }, "", "InvalidInput"},
		"no URL of HTTP":   {west, func(s map[string]any) { s["url"], s["hash"] = "file:///etc/passwd", hashOf("file:///etc/passwd") }, "", "InvalidInput"},
		"bad digest":       {west, func(map[string]any) {}, "xyz", "InvalidInput"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRanged(t, 1000, nil)
			object, _, _ := strings.Cut(s.object(), "?")
			source := map[string]any{"service": "s3", "region": west, "url": object, "hash": hashOf(object)}
			tc.change(source)
			w, class := startByHand(t, "copy-s3_"+tc.region, map[string]any{"source": source, "sha256": tc.sha256})
			require.Equal(t, tc.class, class)
			if class == "" {
				requireCopy(t, s.source, west, ask(t, west, object, ""))
				return
			}
			for name, a := range activities(t, w) {
				require.EqualValues(t, 1, a.attempts, "attempts of %s", name)
			}
			require.Zero(t, s.count("GET"))
			requireNoCopy(t, west, object)
			requireNoCopy(t, east, object)
			eventually(t, func() bool { return ask(t, west, object, "").isCopy() }, "a request makes the copy")
		})
	}
}
