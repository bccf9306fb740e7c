package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// temporalOfThePage runs a command of the page about upgrades. OLD and NEW stand for builds.
func (n *ownNamespace) temporalOfThePage(t *testing.T, command, old, current string) (string, error) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "UPGRADING.md"))
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^ *temporal (` + command + ` (?:.*\\\n)*.*)$`).FindSubmatch(page)
	require.NotNil(t, line, "the page has no temporal %s", command)
	text := strings.NewReplacer("\\\n", " ", "NEW", current, "OLD", old).Replace(string(line[1]))
	var args []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(text, -1) {
		args = append(args, m[1]+m[2])
	}
	return n.temporal(t, args...)
}

// makeCurrent makes a build the current version. Temporal refuses it until the build's workers have
// polled all task queues.
func (n *ownNamespace) makeCurrent(t *testing.T, build string) {
	t.Helper()
	eventually(t, func() bool {
		out, err := n.temporalOfThePage(t, "worker deployment set-current-version", "", build)
		return err == nil || strings.Contains(out, "already")
	}, "the build is current")
}

// describes waits until Temporal's description of a build has a text.
func (n *ownNamespace) describes(t *testing.T, build, text string) {
	t.Helper()
	eventually(t, func() bool {
		out, err := n.temporalOfThePage(t, "worker deployment describe-version", build, "")
		return err == nil && strings.Contains(out, text)
	}, build+" has "+text)
}

// versioned starts a worker of a build.
func (n *ownNamespace) versioned(t *testing.T, build, flags string) *process {
	t.Helper()
	p := n.worker(t, build, flags, "TEMPORAL_DEPLOYMENT_NAME=cloud-mirror", "TEMPORAL_WORKER_BUILD_ID="+build)
	n.describes(t, build, "copy-s3_"+west+"-maintenance")
	return p
}

// heldSource serves its objects once the gate is closed.
func heldSource(t *testing.T) (s *source, gate chan struct{}) {
	t.Helper()
	gate = make(chan struct{})
	return newUnauditedSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		select {
		case <-gate:
			s.serveObject(w, r)
		case <-r.Context().Done():
		}
	}), gate
}

// ranOn returns the processes that began the workflow tasks and activities of a copy, by their ids.
func (n *ownNamespace) ranOn(t *testing.T, object string) map[string]bool {
	t.Helper()
	pids := map[string]bool{}
	all := n.client.GetWorkflowHistory(t.Context(), n.idOf(t, object), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		e, err := all.Next()
		require.NoError(t, err)
		for _, identity := range []string{
			e.GetWorkflowTaskStartedEventAttributes().GetIdentity(), e.GetActivityTaskStartedEventAttributes().GetIdentity(),
		} {
			if identity != "" {
				pids[regexp.MustCompile(`:(\d+) `).FindStringSubmatch(identity)[1]] = true
			}
		}
	}
	return pids
}

func onlyOn(p *process) map[string]bool { return map[string]bool{fmt.Sprint(p.pid): true} }

// TestTwoBuildsSideBySide runs the commands of the page about upgrades. The bridge is part of build a,
// which requests all copies.
func TestTwoBuildsSideBySide(t *testing.T) {
	n := newOwnNamespace(t)
	a := n.versioned(t, "a", "")
	first, gate := heldSource(t)
	object := first.object()
	require.False(t, n.ask(t, object, "?max_wait=0").isCopy())
	require.EqualValues(t, 2, n.runOf(t, object).GetWorkflowExecutionInfo().GetHistoryLength(), "no build is current, so the copy waits")
	n.makeCurrent(t, "a")
	eventually(t, func() bool { return first.count(http.MethodGet) > 0 }, "the copy reads its source")

	b := n.versioned(t, "b", "--no-bridge")
	n.makeCurrent(t, "b")
	next := newUnauditedSource(t, 9*mib, nil) // Its parts have a task queue of their own
	large := next.object()
	requireCopy(t, next, west, n.ask(t, large, ""))
	require.Equal(t, onlyOn(b), n.ranOn(t, large))
	n.describes(t, "a", "draining")
	close(gate)
	requireCopy(t, first, west, n.ask(t, object, ""))
	require.Equal(t, onlyOn(a), n.ranOn(t, object))
	n.describes(t, "a", "drained")

	// Build b goes before it is drained: its copy waits, until an operator moves it to build c.
	second, gate := heldSource(t)
	object = second.object()
	require.False(t, n.ask(t, object, "?max_wait=0").isCopy())
	eventually(t, func() bool { return second.count(http.MethodGet) > 0 }, "the copy reads its source")
	b.terminate(t)
	c := n.versioned(t, "c", "--no-bridge")
	n.makeCurrent(t, "c")
	close(gate)
	eventually(t, func() bool {
		waiting := n.runOf(t, object).GetPendingActivities()
		return len(waiting) == 1 && waiting[0].GetState() == enums.PENDING_ACTIVITY_STATE_SCHEDULED
	}, "no worker of b has the copy")
	require.NotContains(t, n.ranOn(t, object), fmt.Sprint(c.pid))
	_, stderr, err := n.run(t, "replay", "--query", `ExecutionStatus="Running"`)
	require.NoError(t, err, stderr)
	eventually(t, func() bool { // Visibility lists the run's version after a moment
		_, err := n.temporalOfThePage(t, "workflow update-options", "b", "c")
		require.NoError(t, err)
		return n.ask(t, object, "?max_wait=3s").isCopy()
	}, "build c makes the copy")
	require.Contains(t, n.ranOn(t, object), fmt.Sprint(c.pid))
	requireCopy(t, second, west, n.ask(t, object, ""))
}

// TestHalfAVersionIsRefused starts workers with one variable of two.
func TestHalfAVersionIsRefused(t *testing.T) {
	for variable, missing := range map[string]string{
		"TEMPORAL_DEPLOYMENT_NAME": "TEMPORAL_WORKER_BUILD_ID", "TEMPORAL_WORKER_BUILD_ID": "TEMPORAL_DEPLOYMENT_NAME",
	} {
		t.Setenv("TEMPORAL_DEPLOYMENT_NAME", "")
		t.Setenv("TEMPORAL_WORKER_BUILD_ID", "")
		t.Setenv(variable, "a")
		_, stderr, err := cli(t, "worker", "--config", sys.ConfigPath())
		require.Error(t, err)
		require.Contains(t, stderr, variable+" is set, and "+missing+" is not: set both, or neither")
	}
}
