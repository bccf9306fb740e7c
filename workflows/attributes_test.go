package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// started gives a run the search attributes of the bridge.
func (l *timeline) started(t *testing.T) *timeline {
	t.Helper()
	require.NoError(t, l.SetTypedSearchAttributesOnStart(workflows.Attributes(input().Source)))
	return l
}

// TestOutcomeIsInSearchAttributes has an object of 3 bytes.
func TestOutcomeIsInSearchAttributes(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(l *timeline)
		upserts int
		want    map[string]any
	}{
		"completed":           {func(*timeline) {}, 0, map[string]any{}},
		"found by HeadSource": {func(l *timeline) { l.stored = true }, 0, map[string]any{}},
		"a copy in parts": {
			func(l *timeline) { l.large, l.generation = true, 9<<20 }, 1,
			map[string]any{"MirrorBytes": int64(9 << 20), "MirrorAttempts": "1"},
		},
		"failed": {
			func(l *timeline) { l.failures = 1 }, 1,
			map[string]any{"MirrorErrorClass": "BadHTTPStatus-404", "MirrorHTTPStatus": int64(404), "MirrorAttempts": "1"},
		},
		"failed, then copied": {
			func(l *timeline) { l.failures = 1; l.at(2.5, l.request) }, 2,
			map[string]any{"MirrorBytes": int64(3), "MirrorAttempts": "1"},
		},
		"cancelled": {
			func(l *timeline) { l.at(1.5, l.CancelWorkflow) }, 1,
			map[string]any{"MirrorErrorClass": "Cancelled", "MirrorAttempts": "1"},
		},
		"purged": {
			func(l *timeline) { l.at(1.5, l.purge(4)) }, 1,
			map[string]any{"MirrorErrorClass": "Purged", "MirrorAttempts": "1"},
		},
		"purged, then requested": {
			func(l *timeline) { l.at(1.5, l.purge(4)); l.at(1.6, l.request) }, 0, map[string]any{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTimeline(t).started(t)
			tc.prepare(l)
			l.ExecuteWorkflow(workflows.CopyObject, input())
			require.True(t, l.IsWorkflowCompleted())
			require.Equal(t, tc.want, l.attributes())
			require.Len(t, l.upserts, tc.upserts)
		})
	}
}

// TestAttemptsAreCounted has results and failures that tell their attempts.
func TestAttemptsAreCounted(t *testing.T) {
	third := activities.StreamCopyResult{Copy: activities.Copy{Size: 5, Attempts: 3}}
	fourth := temporal.NewApplicationErrorWithOptions("down", "SourceUnreachable", temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{activities.Failure{Class: "SourceUnreachable", Attempts: 4}},
	})
	large := described(100 << 20).Meta
	for name, tc := range map[string]struct {
		results []any // Of StreamCopy, in order
		want    string
	}{
		"copied":                             {[]any{third}, "3"},
		"failed":                             {[]any{fourth}, "4"},
		"cancelled by an operator's command": {[]any{temporal.NewCanceledError()}, "1"},
		"a large object":                     {[]any{activities.StreamCopyResult{Large: &large, Copy: activities.Copy{Attempts: 2}}, third}, "4"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTimeline(t).started(t)
			l.stream = func() (out activities.StreamCopyResult, err error) {
				next := tc.results[0]
				tc.results = tc.results[1:]
				if err, ok := next.(error); ok {
					return out, err
				}
				return next.(activities.StreamCopyResult), nil
			}
			l.ExecuteWorkflow(workflows.CopyObject, input())
			require.Equal(t, tc.want, l.attributes()["MirrorAttempts"])
			require.Empty(t, tc.results)
		})
	}
}

// TestCopyByHandGetsItsAttributes starts a copy without search attributes, as an operator does.
func TestCopyByHandGetsItsAttributes(t *testing.T) {
	l := newTimeline(t)
	l.ExecuteWorkflow(workflows.CopyObject, input())
	require.Equal(t, map[string]any{
		"MirrorService": "s3", "MirrorRegion": "us-west-2", "MirrorHost": "example.com",
	}, l.attributes())
	require.Len(t, l.upserts, 1)
}

// TestRunOfAnEarlierBuildHasAClassOnly has a run that recorded the version before.
func TestRunOfAnEarlierBuildHasAClassOnly(t *testing.T) {
	for failures, want := range map[int]map[string]any{0: {}, 1: {"MirrorErrorClass": "BadHTTPStatus"}} {
		l := newTimeline(t)
		l.failures = failures
		l.OnGetVersion("local-first", workflow.DefaultVersion, workflow.Version(2)).Return(workflow.Version(1))
		l.OnGetVersion("own-attributes", workflow.DefaultVersion, workflow.Version(1)).Return(workflow.DefaultVersion)
		l.ExecuteWorkflow(workflows.CopyObject, input())
		require.Equal(t, want, l.attributes())
	}
}
