package workflows_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// sized makes the timeline's object have 500 bytes. A StreamCopy with a larger minimum copies
// nothing.
func (l *timeline) sized() *timeline {
	l.size = 500
	return l
}

// atLeast signals a request with a minimum size.
func (l *timeline) atLeast(minSize int64) func() {
	return func() { l.SignalWorkflow(workflows.RequestSignal, workflows.Request{MinSize: minSize}) }
}

// outcomes lists what UpdateCache recorded, in order.
func (l *timeline) outcomes() (all []string) {
	for _, u := range l.updates {
		switch {
		case u.TooSmall != nil:
			all = append(all, "small")
		case u.Copy != nil:
			all = append(all, "present")
		default:
			all = append(all, u.Failure.Class)
		}
	}
	return all
}

func minimum(minSize int64) workflows.CopyObjectInput {
	in := input()
	in.MinSize = minSize
	return in
}

// TestSmallObjectCompletes says why there is no copy.
func TestSmallObjectCompletes(t *testing.T) {
	l := newTimeline(t).sized()
	l.ExecuteWorkflow(workflows.CopyObject, minimum(1000))
	small := activities.TooSmall{Size: 500, MinSize: 1000}
	require.Equal(t, workflows.CopyObjectResult{Published: true, TooSmall: &small}, l.result(t))
	require.Equal(t, "too small: 500 bytes, and the minimum is 1000", small.String())
	update := activities.TooSmallUpdate(small)
	update.Source, update.Generation, update.Known = input().Source, 3, true
	require.Equal(t, []activities.UpdateCacheInput{update}, l.updates)
	require.Equal(t, activities.ClassTooSmall, l.class())
}

// TestRequestsOfASmallObject has an object of 500 bytes. HeadSource ends after 1 minute, StreamCopy
// after 2, and UpdateCache after 3.
func TestRequestsOfASmallObject(t *testing.T) {
	for name, tc := range map[string]struct {
		minSize  int64 // Of the request that starts the run
		signal   func(l *timeline)
		minSizes []int64 // Of each StreamCopy
		outcomes []string
	}{
		"none":                 {1000, func(*timeline) {}, []int64{1000}, []string{"small"}},
		"none, without":        {0, func(*timeline) {}, []int64{0}, []string{"present"}},
		"none, the size":       {500, func(*timeline) {}, []int64{500}, []string{"present"}},
		"one byte more":        {501, func(*timeline) {}, []int64{501}, []string{"small"}},
		"without, at the head": {1000, func(l *timeline) { l.at(0.5, l.request) }, []int64{0}, []string{"present"}},
		"without, during StreamCopy": {
			1000, func(l *timeline) { l.at(1.5, l.request) }, []int64{1000, 0}, []string{"present"},
		},
		"without, twice during StreamCopy": {
			1000, func(l *timeline) { l.at(1.5, l.request); l.at(1.6, l.request) }, []int64{1000, 0}, []string{"present"},
		},
		"the size, during StreamCopy": {
			1000, func(l *timeline) { l.at(1.5, l.atLeast(500)) }, []int64{1000, 500}, []string{"present"},
		},
		"lower, but above the size": {
			1000, func(l *timeline) { l.at(1.5, l.atLeast(501)) }, []int64{1000}, []string{"small"},
		},
		"the same, during StreamCopy": {
			1000, func(l *timeline) { l.at(1.5, l.atLeast(1000)) }, []int64{1000}, []string{"small"},
		},
		"higher, during StreamCopy": {
			1000, func(l *timeline) { l.at(1.5, l.atLeast(2000)) }, []int64{1000}, []string{"small"},
		},
		"lower, then higher": {
			1000, func(l *timeline) { l.at(0.5, l.atLeast(500)); l.at(0.6, l.atLeast(2000)) }, []int64{500}, []string{"present"},
		},
		"without, during UpdateCache": {
			1000, func(l *timeline) { l.at(2.5, l.request) }, []int64{1000, 0}, []string{"small", "present"},
		},
		"the same, during UpdateCache": {
			1000, func(l *timeline) { l.at(2.5, l.atLeast(1000)) }, []int64{1000, 1000}, []string{"small", "small"},
		},
		"a minimum, of a copy without": {
			0, func(l *timeline) { l.at(1.5, l.atLeast(1000)) }, []int64{0}, []string{"present"},
		},
		"a minimum, while a copy is published": {
			0, func(l *timeline) { l.at(2.5, l.atLeast(1000)) }, []int64{0}, []string{"present", "present"},
		},
		"without, of a copy that is large enough": {
			500, func(l *timeline) { l.at(1.5, l.request) }, []int64{500}, []string{"present"},
		},
		"after a purge during StreamCopy": {
			1000, func(l *timeline) { l.at(1.5, l.purge(4)); l.at(1.6, l.request) }, []int64{1000, 0},
			[]string{activities.ClassPurged, "present"},
		},
		"after a purge during UpdateCache": {
			1000, func(l *timeline) { l.at(2.5, l.purge(4)); l.at(2.6, l.request) }, []int64{1000, 0},
			[]string{"small", "present"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTimeline(t).sized()
			tc.signal(l)
			l.ExecuteWorkflow(workflows.CopyObject, minimum(tc.minSize))
			out := l.result(t)
			require.True(t, out.Published)
			require.Equal(t, tc.minSizes, l.minSizes)
			require.Equal(t, tc.outcomes, l.outcomes())
			if tc.outcomes[len(tc.outcomes)-1] == "small" {
				require.Equal(t, activities.ClassTooSmall, l.class())
				require.NotNil(t, out.TooSmall)
			} else {
				require.Empty(t, l.class())
				require.Nil(t, out.TooSmall)
			}
		})
	}
}

// TestSmallObjectThatIsPurged ends the run as cancelled, like any copy.
func TestSmallObjectThatIsPurged(t *testing.T) {
	l := newTimeline(t).sized()
	l.at(2.5, l.purge(4))
	l.ExecuteWorkflow(workflows.CopyObject, minimum(1000))
	require.True(t, temporal.IsCanceledError(l.GetWorkflowError()), "%v", l.GetWorkflowError())
	require.Equal(t, []string{"small", activities.ClassPurged}, l.outcomes())
}

// TestSmallObjectOfACancelledRun has a request with a lower minimum arrive before an operator's
// cancellation. The run makes no copy.
func TestSmallObjectOfACancelledRun(t *testing.T) {
	l := newTimeline(t).sized()
	l.at(1.4, l.request)
	l.at(1.5, l.CancelWorkflow)
	l.ExecuteWorkflow(workflows.CopyObject, minimum(1000))
	require.True(t, temporal.IsCanceledError(l.GetWorkflowError()), "%v", l.GetWorkflowError())
	require.Equal(t, []int64{1000}, l.minSizes)
	require.Equal(t, []string{activities.ClassCancelled}, l.outcomes())
}

// TestCopyInTheBucketIsUsedWhateverItsSize has HeadSource find it.
func TestCopyInTheBucketIsUsedWhateverItsSize(t *testing.T) {
	l := newTimeline(t).sized()
	l.stored = true
	l.ExecuteWorkflow(workflows.CopyObject, minimum(1000))
	require.Empty(t, l.minSizes)
	require.Equal(t, []string{"present"}, l.outcomes())
	require.EqualValues(t, 5, l.result(t).Copy.Size)
}

// TestLargeObjectIsLargeEnough leaves the minimum to the first request.
func TestLargeObjectIsLargeEnough(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil).Once()
	var minSizes []int64
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.StreamCopyInput) (activities.StreamCopyResult, error) {
			minSizes = append(minSizes, in.MinSize)
			if in.First {
				meta := in.Meta // Of unknown length
				return activities.StreamCopyResult{Large: &meta}, nil
			}
			return activities.StreamCopyResult{Copy: activities.Copy{Size: 1 << 30}}, nil
		}).Times(2)
	r.updateCache(ok)
	r.ExecuteWorkflow(workflows.CopyObject, minimum(1000))
	require.EqualValues(t, 1<<30, r.result(t).Copy.Size)
	require.Equal(t, []int64{1000, 0}, minSizes)
}

// TestSmallRecordThatFails completes the run: the next request starts another.
func TestSmallRecordThatFails(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil).Once()
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
		activities.StreamCopyResult{TooSmall: &activities.TooSmall{Size: 5, MinSize: 6}}, nil).Once()
	r.updateCache(func(int) error { return failed(activities.ClassCache, 0, true) })
	r.ExecuteWorkflow(workflows.CopyObject, minimum(6))
	out := r.result(t)
	require.False(t, out.Published)
	require.NotNil(t, out.TooSmall)
}

// TestManyRoundsKeepTheMinimum has requests arrive in each UpdateCache, until the run continues as
// new.
func TestManyRoundsKeepTheMinimum(t *testing.T) {
	l := newTimeline(t).sized()
	for round := range 30 {
		l.at(float64(3*round)+2.5, l.atLeast(900))
	}
	l.ExecuteWorkflow(workflows.CopyObject, minimum(1000))
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, l.GetWorkflowError(), &next)
	var in workflows.CopyObjectInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	require.EqualValues(t, 900, in.MinSize)
	require.Empty(t, l.class(), "the next run inherits the search attributes")
}

// TestMessagesWithoutAMinimum decodes inputs and signals of builds before 2026-11-26.
func TestMessagesWithoutAMinimum(t *testing.T) {
	in, r := workflows.CopyObjectInput{}, workflows.Request{}
	require.NoError(t, json.Unmarshal([]byte(`{"source":{}}`), &in))
	require.NoError(t, json.Unmarshal([]byte(`{"idle":true}`), &r))
	require.Zero(t, in.MinSize)
	require.Zero(t, r.MinSize)
	for _, v := range []any{in, r, activities.StreamCopyInput{}} {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(data), "minSize", "an optional key")
	}
}

// TestRaisedCopyHasTheLowerMinimum schedules an activity that waits at low priority again, with the
// client's minimum.
func TestRaisedCopyHasTheLowerMinimum(t *testing.T) {
	l := newTimeline(t).sized()
	in := minimum(1000)
	in.Low = true
	l.at(1.5, func() { l.SignalWorkflow(workflows.RequestSignal, workflows.Request{Idle: true}) })
	l.ExecuteWorkflow(workflows.CopyObject, in)
	require.True(t, l.result(t).Published)
	require.EqualValues(t, 0, l.minSizes[len(l.minSizes)-1])
	require.Equal(t, []string{"present"}, l.outcomes())
}
