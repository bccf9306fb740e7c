package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// edit is an incompatible edit of the workflows. An interceptor makes it, in place of an edit of
// the source.
type edit struct {
	// activity, if set, runs in place of an activity or a local attempt. next runs it under a name.
	activity func(ctx workflow.Context, name string, args []any, next func(name string) workflow.Future) workflow.Future
	// ignored is the name of a signal that is no longer handled.
	ignored string
	// noPause drops the pauses, noAttributes the search attributes, and noSignal the signals to
	// other workflows.
	noPause, noAttributes, noSignal bool
	// version, if set, is the version of each change, in place of the check.
	version *workflow.Version
	// upserted, if set, gets the updates of search attributes. It changes nothing.
	upserted func([]temporal.SearchAttributeUpdate)
}

// edited applies an edit to the workflows.
type edited struct {
	interceptor.WorkerInterceptorBase
	edit
}

type editedInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	edit
}

type editedOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	edit
}

func (e *edited) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &editedInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, e.edit}
}

func (e *editedInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return e.Next.Init(&editedOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: next}, e.edit})
}

func (e *editedOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	return e.execute(ctx, name, args, func(name string) workflow.Future { return e.Next.ExecuteActivity(ctx, name, args...) })
}

func (e *editedOutbound) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	return e.execute(ctx, name, args, func(name string) workflow.Future { return e.Next.ExecuteLocalActivity(ctx, name, args...) })
}

func (e *editedOutbound) execute(
	ctx workflow.Context, name string, args []any, next func(name string) workflow.Future,
) workflow.Future {
	if e.activity == nil {
		return next(name)
	}
	return e.activity(ctx, name, args, next)
}

func (e *editedOutbound) GetVersion(ctx workflow.Context, change string, lowest, highest workflow.Version) workflow.Version {
	if e.version != nil {
		return *e.version
	}
	return e.Next.GetVersion(ctx, change, lowest, highest)
}

func (e *editedOutbound) GetSignalChannel(ctx workflow.Context, name string) workflow.ReceiveChannel {
	if name == e.ignored {
		name = "ignored"
	}
	return e.Next.GetSignalChannel(ctx, name)
}

func (e *editedOutbound) Sleep(ctx workflow.Context, d time.Duration) error {
	if e.noPause {
		return nil
	}
	return e.Next.Sleep(ctx, d)
}

func (e *editedOutbound) UpsertTypedSearchAttributes(ctx workflow.Context, attributes ...temporal.SearchAttributeUpdate) error {
	if e.noAttributes {
		return nil
	}
	if e.upserted != nil {
		e.upserted(attributes)
	}
	return e.Next.UpsertTypedSearchAttributes(ctx, attributes...)
}

func (e *editedOutbound) SignalExternalWorkflow(ctx workflow.Context, id, run, signal string, arg any) workflow.Future {
	if e.noSignal {
		return done(ctx)
	}
	return e.Next.SignalExternalWorkflow(ctx, id, run, signal, arg)
}

// done returns a future that is ready.
func done(ctx workflow.Context) workflow.Future {
	f, set := workflow.NewFuture(ctx)
	set.SetValue(nil)
	return f
}

// drop returns the edit that no longer runs an activity.
func drop(activity string) edit {
	return edit{activity: func(ctx workflow.Context, name string, _ []any, next func(string) workflow.Future) workflow.Future {
		if name == activity {
			return done(ctx)
		}
		return next(name)
	}}
}

// replayEdited replays a recorded history with an edit of the workflows.
func replayEdited(t *testing.T, file string, e edit) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors: []interceptor.WorkerInterceptor{&edited{edit: e}},
	})
	require.NoError(t, err)
	current(r)
	return r.ReplayWorkflowHistory(nil, recorded(t, file, unchanged))
}

// oldest are the only histories of the first version.
var oldest = []string{"completed.json", "failed.json"} //nolint:gochecknoglobals // A constant

// TestGateCatchesIncompatibleEdits edits the workflows, and replays the histories. The histories of
// the paths that an edit changes don't replay. The edit without a change is the control.
func TestGateCatchesIncompatibleEdits(t *testing.T) {
	three := drop("AbortUpload")
	three.ignored, three.noPause = "purge", true
	copies := without(shapes(newest), "swept", "audited", "refreshed", "finishedpurge")
	described := without(copies, "completed", "lookagain", "looklost", "lowered", "publishagain", "publishlost")
	for name, tc := range map[string]struct {
		edit    edit
		noticed []string // By these histories of the newest version, and by no other
		passes  bool     // The two oldest histories don't notice it
	}{
		"none":                         {edit{}, nil, true},
		"three at once":                {three, []string{"again", "cancelled", "purged", "rerun", "timedout"}, true},
		"AbortUpload dropped":          {drop("AbortUpload"), []string{"again", "cancelled", "purged", "timedout"}, true},
		"pause between series dropped": {edit{noPause: true}, []string{"rerun"}, true},
		"purges ignored":               {edit{ignored: "purge"}, []string{"again", "purged"}, true},
		"requests ignored":             {edit{ignored: "request"}, []string{"again", "lowered", "raised"}, true},
		"signal to the copy dropped":   {edit{noSignal: true}, []string{"finishedpurge"}, true},
		"version check dropped":        {edit{version: new(workflow.Version(2))}, nil, false},
		"outcomes dropped": {
			edit{version: new(workflow.Version(1))}, without(described, "existing", "failed", "missing", "operator", "small"), false,
		},
		"local attempts dropped":    {edit{version: new(workflow.DefaultVersion)}, copies, true},
		"search attributes dropped": {edit{noAttributes: true}, described, false},
		"failures not recorded": {edit{activity: func(ctx workflow.Context, name string, args []any, next func(string) workflow.Future) workflow.Future {
			if in, ok := args[0].(activities.UpdateCacheInput); ok && in.Failure != nil && in.TooSmall == nil {
				return done(ctx)
			}
			return next(name)
		}}, []string{"cancelled", "failed", "missing", "operator", "purged", "timedout"}, false},
		"StreamCopy and UpdateCache swapped": {edit{activity: func(_ workflow.Context, name string, _ []any, next func(string) workflow.Future) workflow.Future {
			switch name {
			case "StreamCopy":
				name = "UpdateCache"
			case "UpdateCache":
				name = "StreamCopy"
			}
			return next(name)
		}}, copies, false},
		"HeadSource runs twice": {edit{activity: func(_ workflow.Context, name string, _ []any, next func(string) workflow.Future) workflow.Future {
			if name == "HeadSource" {
				next(name)
			}
			return next(name)
		}}, copies, false},
	} {
		t.Run(name, func(t *testing.T) {
			var noticed []string
			for _, shape := range shapes(newest) {
				if err := replayEdited(t, newest+"/"+shape+".json", tc.edit); err != nil {
					noticed = append(noticed, shape)
				}
			}
			slices.Sort(tc.noticed)
			slices.Sort(noticed)
			require.Equal(t, strings.Join(tc.noticed, " "), strings.Join(noticed, " "))
			passes := true
			for _, file := range oldest {
				passes = passes && replayEdited(t, file, tc.edit) == nil
			}
			require.Equal(t, tc.passes, passes)
		})
	}
}

func without(all []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}
