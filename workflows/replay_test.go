package workflows_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// shapes returns the paths that a workflow of a version can take. Each has a recorded history. The
// versions small and continued add paths to those of the version before, and change none of them.
func shapes(version string) []string {
	switch version {
	case small:
		return []string{"lowered", "small"}
	case continued:
		return []string{"continued"}
	}
	all := []string{
		"cancelled", "changed", "completed", "digest", "existing", "failed", "large", "purged", "rerun", "resumed", "retried",
		"swept",
	}
	for _, later := range []struct {
		version string
		shapes  []string
	}{
		{signals, []string{"again", "raised"}},
		{maintenance, []string{"audited", "refreshed"}},
		{trust, []string{"finishedpurge", "lowered", "missing", "operator", "paused", "server", "small", "timedout"}},
		{steps, []string{"lookagain", "looklost", "publishagain", "publishlost"}},
	} {
		if slices.Index(versions(), version) >= slices.Index(versions(), later.version) {
			all = append(all, later.shapes...)
		}
	}
	return all
}

// newest is the version with outcomes in search attributes. It has a history of every shape except
// continued.
const newest = "2026-11-27-attributes"

// continued adds the path of a run that continues in another run.
const continued = "2026-11-27-continued"

// steps is the version with local first attempts.
const steps = "2026-11-26-steps"

// trust is the version that publishes only copies in the bucket.
const trust = "2026-11-26-trust"

// maintenance is the version with audits and refreshes.
const maintenance = "2026-11-26-maintenance"

// signals is the version with signals for requests and purges.
const signals = "2026-11-25-signals"

// small is the version with minimum sizes.
const small = "2026-11-26-small"

// versions returns the folders of recorded histories. In the first, HeadSource describes the
// source.
func versions() []string {
	return []string{"2026-11-25", "2026-11-25-plain-get", signals, small, maintenance, trust, steps, newest, continued}
}

// histories returns the files of all recorded histories, relative to testdata. They come from a
// real server: see TestHistoryShapes in deploy/local/e2e. The two of 2026-11-22 lie in testdata
// itself, those of later versions in a folder for each.
func histories(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"testdata/*.json", "testdata/*/*.json"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range found {
			files = append(files, strings.TrimPrefix(f, "testdata/"))
		}
	}
	return files
}

// replay runs a version of the workflows against a recorded history, after an edit of its text.
func replay(t *testing.T, file string, edit func(string) string, register func(worker.WorkflowReplayer)) error {
	t.Helper()
	r := worker.NewWorkflowReplayer()
	register(r)
	return r.ReplayWorkflowHistory(nil, recorded(t, file, edit))
}

// current registers the workflows as they are.
func current(r worker.WorkflowReplayer) {
	r.RegisterWorkflow(workflows.CopyObject)
	r.RegisterWorkflow(workflows.SweepUploads)
	r.RegisterWorkflow(workflows.AuditCopy)
	r.RegisterWorkflow(workflows.RefreshCopy)
	r.RegisterWorkflow(workflows.PurgeCopy)
}

// incompatible registers the workflows with a change that no open run survives: they sleep before
// they end.
func incompatible(r worker.WorkflowReplayer) {
	r.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.CopyObjectInput) (workflows.CopyObjectResult, error) {
		out, err := workflows.CopyObject(ctx, in)
		ctx, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		_ = workflow.Sleep(ctx, time.Second)
		return out, err
	}, workflow.RegisterOptions{Name: "CopyObject"})
	r.RegisterWorkflowWithOptions(func(ctx workflow.Context, in activities.SweepInput) (activities.SweepResult, error) {
		out, err := workflows.SweepUploads(ctx, in)
		_ = workflow.Sleep(ctx, time.Second)
		return out, err
	}, workflow.RegisterOptions{Name: "SweepUploads"})
	r.RegisterWorkflowWithOptions(func(ctx workflow.Context, in activities.AuditInput) (activities.AuditResult, error) {
		out, err := workflows.AuditCopy(ctx, in)
		_ = workflow.Sleep(ctx, time.Second)
		return out, err
	}, workflow.RegisterOptions{Name: "AuditCopy"})
	r.RegisterWorkflowWithOptions(func(ctx workflow.Context, in activities.RefreshInput) (activities.RefreshResult, error) {
		out, err := workflows.RefreshCopy(ctx, in)
		_ = workflow.Sleep(ctx, time.Second)
		return out, err
	}, workflow.RegisterOptions{Name: "RefreshCopy"})
	r.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.PurgeCopyInput) (activities.PurgeResult, error) {
		out, err := workflows.PurgeCopy(ctx, in)
		_ = workflow.Sleep(ctx, time.Second)
		return out, err
	}, workflow.RegisterOptions{Name: "PurgeCopy"})
}

// TestRecordedHistoriesReplay fails if the code no longer replays a history. Such a workflow would
// be stuck after a deployment: use workflow.GetVersion.
func TestRecordedHistoriesReplay(t *testing.T) {
	files := histories(t)
	require.Subset(t, files, []string{"completed.json", "failed.json"})
	for _, version := range versions() {
		for _, shape := range shapes(version) {
			require.Contains(t, files, version+"/"+shape+".json")
		}
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			require.NoError(t, replay(t, file, unchanged, current))
		})
	}
}

// TestIncompatibleWorkflowDoesNotReplay shows that each history notices a change of the workflow,
// even at its very end.
func TestIncompatibleWorkflowDoesNotReplay(t *testing.T) {
	for _, file := range histories(t) {
		t.Run(file, func(t *testing.T) {
			require.ErrorContains(t, replay(t, file, unchanged, incompatible), "nondeterministic")
		})
	}
}

func TestIncompatibleHistoryDoesNotReplay(t *testing.T) {
	rename := func(s string) string { return strings.ReplaceAll(s, `"StreamCopy"`, `"CopyStream"`) }
	require.ErrorContains(t, replay(t, "completed.json", rename, current), "nondeterministic")
}

// TestHistoriesWithoutFaultsAreShort bounds what a copy without faults costs: Temporal Cloud bills by
// the actions that make events.
func TestHistoriesWithoutFaultsAreShort(t *testing.T) {
	const most = 25
	for _, shape := range []string{"completed", "large", "digest", "existing", "server", "small"} {
		events := recorded(t, newest+"/"+shape+".json", unchanged).GetEvents()
		require.LessOrEqual(t, len(events), most, shape)
		require.Equal(t, enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, events[len(events)-1].GetEventType(), shape)
	}
	require.Greater(t, len(recorded(t, newest+"/again.json", unchanged).GetEvents()), most, "control: two copies")
}
