package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// timeline is a run with activities of a minute each, and its signals. HeadSource finds the copy
// that an earlier round has published.
type timeline struct {
	*run
	heads, copies int
	generation    int64 // Of the object in the cache
	stored        bool
	large         bool // A HeadSource of an earlier build described a large object
	failures      int  // The number of StreamCopy calls that fail, before others succeed
	upserts       [][]temporal.SearchAttributeUpdate
	stream        func() (activities.StreamCopyResult, error) // Answers instead of the timeline's StreamCopy
	size          int64                                       // Of the object, if it is compared with minimums; see sized
	minSizes      []int64
}

func newTimeline(t *testing.T) *timeline {
	t.Helper()
	l := &timeline{run: newRun(t), generation: 3}
	l.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(
		func(context.Context, activities.HeadSourceInput) (activities.HeadSourceResult, error) {
			l.heads++
			out := head()
			if l.large {
				out = described(100 << 20)
			}
			if out.Generation = l.generation; l.stored {
				out.Stored = &activities.Copy{Size: 5}
			}
			return out, nil
		}).After(time.Minute)
	l.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.StreamCopyInput) (activities.StreamCopyResult, error) {
			if l.stream != nil {
				return l.stream()
			}
			if l.copies++; l.copies <= l.failures {
				return activities.StreamCopyResult{}, failed("BadHTTPStatus", 404, true)
			}
			l.minSizes = append(l.minSizes, in.MinSize)
			if in.MinSize > l.size {
				return activities.StreamCopyResult{TooSmall: &activities.TooSmall{Size: l.size, MinSize: in.MinSize}}, nil
			}
			return activities.StreamCopyResult{Copy: activities.Copy{Size: in.Generation}}, nil
		}).After(time.Minute)
	l.OnActivity("AbortUpload", mock.Anything, mock.Anything).Return(nil).After(time.Minute)
	l.OnActivity("UpdateCache", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.UpdateCacheInput) error {
			l.updates = append(l.updates, in)
			if (in.Copy != nil || in.TooSmall != nil) && in.Generation < l.generation {
				return failed(activities.ClassPurged, 0, true)
			}
			l.stored = in.Copy != nil
			return nil
		}).After(time.Minute)
	l.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&edited{edit: edit{
		upserted: func(updates []temporal.SearchAttributeUpdate) { l.upserts = append(l.upserts, updates) },
	}}}})
	return l
}

// attributes returns the search attributes that the run has set.
func (l *timeline) attributes() map[string]any {
	all := map[string]any{}
	for key, value := range temporal.NewSearchAttributes(slices.Concat(l.upserts...)...).GetUntypedValues() {
		all[key.GetName()] = value
	}
	return all
}

// class returns the error class among the search attributes, or an empty string.
func (l *timeline) class() string {
	class, _ := l.attributes()["MirrorErrorClass"].(string)
	return class
}

// at runs f at a time since the start. HeadSource ends after 1 minute, StreamCopy after 2 and
// UpdateCache after 3, unless something fails.
func (l *timeline) at(minutes float64, f func()) {
	l.RegisterDelayedCallback(f, time.Duration(minutes*float64(time.Minute)))
}

func (l *timeline) request() { l.SignalWorkflow(workflows.RequestSignal, workflows.Request{}) }

// purge purges the object, and signals it unless the message is late.
func (l *timeline) purge(generation int64) func() {
	return func() {
		l.generation, l.stored = max(l.generation, generation), false
		l.signalPurge(generation)()
	}
}

func (l *timeline) signalPurge(generation int64) func() {
	return func() { l.SignalWorkflow(workflows.PurgeSignal, workflows.Purge{Generation: generation}) }
}

func TestRequestsOfARunningCopy(t *testing.T) {
	for name, tc := range map[string]struct {
		signal func(l *timeline)
		heads  int
		copies int   // Those that a purge cancelled are counted as well
		made   int64 // The generation of the copy that the run returns; 0 if HeadSource found it
	}{
		"none":                            {func(*timeline) {}, 1, 1, 3},
		"during HeadSource":               {func(l *timeline) { l.at(0.5, l.request) }, 1, 1, 3},
		"during StreamCopy":               {func(l *timeline) { l.at(1.5, l.request) }, 1, 1, 3},
		"during UpdateCache":              {func(l *timeline) { l.at(2.5, l.request) }, 2, 1, 5},
		"twice during UpdateCache":        {func(l *timeline) { l.at(2.5, l.request); l.at(2.6, l.request) }, 2, 1, 5},
		"in each UpdateCache":             {func(l *timeline) { l.at(2.5, l.request); l.at(4.5, l.request) }, 3, 1, 5},
		"after a purge during HeadSource": {func(l *timeline) { l.at(0.5, l.purge(4)); l.at(0.6, l.request) }, 1, 1, 4},
		"after a purge during StreamCopy": {func(l *timeline) { l.at(1.5, l.purge(4)); l.at(1.6, l.request) }, 2, 2, 4},
		"before the signal of a purge": {
			func(l *timeline) {
				l.at(1.4, func() { l.generation = 4 })
				l.at(1.5, l.request)
				l.at(1.6, l.signalPurge(4))
			}, 2, 2, 4,
		},
		"after a purge during UpdateCache": {func(l *timeline) { l.at(2.5, l.purge(4)); l.at(2.6, l.request) }, 2, 2, 4},
		"before a purge during UpdateCache, whose signal is lost": {
			func(l *timeline) { l.at(1.5, l.request); l.at(2.5, func() { l.generation = 4 }) }, 2, 2, 4,
		},
		"after each of two purges": {
			func(l *timeline) {
				l.at(1.5, l.purge(4))
				l.at(1.6, l.request)
				l.at(4, l.purge(5))
				l.at(4.1, l.request)
			}, 3, 3, 5,
		},
		"after a purge that is redelivered": {
			func(l *timeline) {
				l.at(1.5, l.purge(4))
				l.at(1.6, l.request)
				l.at(3, l.signalPurge(4))
				l.at(4, l.signalPurge(4))
			}, 2, 2, 4,
		},
		"after an older purge":                    {func(l *timeline) { l.at(1.5, l.signalPurge(2)); l.at(1.6, l.request) }, 1, 1, 3},
		"after a purge of the copy's generation":  {func(l *timeline) { l.at(1.5, l.signalPurge(3)); l.at(1.6, l.request) }, 1, 1, 3},
		"after a purge of an unknown generation":  {func(l *timeline) { l.at(1.5, l.signalPurge(0)); l.at(1.6, l.request) }, 2, 2, 3},
		"after a purge that HeadSource can't see": {func(l *timeline) { l.at(0.5, l.signalPurge(9)); l.at(0.6, l.request) }, 1, 1, 9},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTimeline(t)
			tc.signal(l)
			l.ExecuteWorkflow(workflows.CopyObject, input())
			out := l.result(t)
			require.True(t, out.Published)
			require.Equal(t, tc.made, out.Copy.Size)
			require.Equal(t, tc.heads, l.heads)
			require.Equal(t, tc.copies, l.copies)
		})
	}
}

// TestPurgeWithoutARequest ends the run as cancelled. It also wakes clients while their new request is
// still in flight.
func TestPurgeWithoutARequest(t *testing.T) {
	l := newTimeline(t)
	l.at(1.5, l.purge(4))
	l.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, temporal.IsCanceledError(l.GetWorkflowError()), "%v", l.GetWorkflowError())
	require.Len(t, l.updates, 1)
	require.Equal(t, activities.ClassPurged, l.updates[0].Failure.Class)
}

// TestPurgeOfTheCopyThatHeadSourceFound copies the object, although HeadSource could not see the
// purge.
func TestPurgeOfTheCopyThatHeadSourceFound(t *testing.T) {
	l := newTimeline(t)
	l.stored = true
	l.at(0.5, l.signalPurge(9))
	l.ExecuteWorkflow(workflows.CopyObject, input())
	require.EqualValues(t, 9, l.result(t).Copy.Size)
	require.Equal(t, 1, l.heads)
	require.Equal(t, 1, l.copies)
}

// TestPurgeBeforeTheStart has a run receive a purge from before its start. After a reset, Temporal
// passes the signals of the old run to the new run.
func TestPurgeBeforeTheStart(t *testing.T) {
	l := newTimeline(t)
	l.at(0, l.signalPurge(9))
	l.ExecuteWorkflow(workflows.CopyObject, input())
	require.EqualValues(t, 9, l.result(t).Copy.Size)
	require.Equal(t, 1, l.heads)
}

// TestRequestWhileThePurgeIsRecorded copies the object again: the failure of the purged copy is no
// answer.
func TestRequestWhileThePurgeIsRecorded(t *testing.T) {
	l := newTimeline(t)
	l.at(1.5, l.purge(4))
	l.at(2, l.request)
	l.ExecuteWorkflow(workflows.CopyObject, input())
	require.EqualValues(t, 4, l.result(t).Copy.Size)
	require.Len(t, l.updates, 2)
}

// TestCancelledRunStaysCancelled has requests arrive during the cancellation. The recorded failure
// answers each of them, and none starts a copy.
func TestCancelledRunStaysCancelled(t *testing.T) {
	for name, tc := range map[string]struct {
		minutes float64
		records int
	}{"before the failure is recorded": {1.49, 1}, "while it is recorded": {2, 2}} {
		t.Run(name, func(t *testing.T) {
			l := newTimeline(t)
			l.at(tc.minutes, l.request)
			l.at(1.5, l.CancelWorkflow)
			l.ExecuteWorkflow(workflows.CopyObject, input())
			require.True(t, temporal.IsCanceledError(l.GetWorkflowError()), "%v", l.GetWorkflowError())
			require.Equal(t, 1, l.heads)
			require.Equal(t, 1, l.copies, "the cancelled one")
			require.Len(t, l.updates, tc.records)
			for _, u := range l.updates {
				require.Equal(t, activities.ClassCancelled, u.Failure.Class)
			}
		})
	}
}

// TestRequestAfterAFailure copies the object again only if the request came after the failure was
// recorded.
func TestRequestAfterAFailure(t *testing.T) {
	for minutes, copies := range map[float64]int{1.5: 1, 2.5: 2} {
		l := newTimeline(t)
		l.failures = 1
		l.at(minutes, l.request)
		l.ExecuteWorkflow(workflows.CopyObject, input())
		require.Equal(t, copies, l.copies, minutes)
		if copies == 1 {
			l.requireFailed(t, "BadHTTPStatus")
			require.Equal(t, "BadHTTPStatus-404", l.class())
		} else {
			require.True(t, l.result(t).Published)
			require.Empty(t, l.class())
		}
	}
}

// TestFailureOfAPurgedCopy purges an object while its copy fails. No client gets that failure. A run
// that copies again loses its error class.
func TestFailureOfAPurgedCopy(t *testing.T) {
	for name, at := range map[string][2]float64{
		"purged while parts are freed":          {2.1, 2.2},
		"purged before the failure":             {1.5, 1.6},
		"requested while the end is recorded":   {2.1, 3.5},
		"purged after the failure was recorded": {3.5, 3.6},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTimeline(t)
			l.large, l.failures = true, 1
			l.at(at[0], l.purge(4))
			l.at(at[1], l.request)
			l.ExecuteWorkflow(workflows.CopyObject, input())
			require.True(t, l.result(t).Published)
			require.Equal(t, 2, l.heads)
			require.Empty(t, l.class())
			for _, u := range l.updates {
				if u.Failure != nil && u.Failure.Class != activities.ClassPurged {
					require.True(t, u.Known)
					require.Less(t, u.Generation, int64(4), "the cache would store a failure of the purged copy")
				}
			}
		})
	}
}

// TestRunThatIsRequestedForEver starts the next run, so that each history stays bounded.
func TestRunThatIsRequestedForEver(t *testing.T) {
	l := newTimeline(t)
	for i := range 100 {
		l.at(2.5+2*float64(i), l.request)
	}
	l.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, l.IsWorkflowCompleted())
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, l.GetWorkflowError(), &next)
	require.Equal(t, 20, l.heads)
}

// TestNextRunHasNoOutcome has every copy of a run fail. The next run inherits the search
// attributes, and may succeed.
func TestNextRunHasNoOutcome(t *testing.T) {
	l := requestedInEachRound(t)
	l.ExecuteWorkflow(workflows.CopyObject, input())
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, l.GetWorkflowError(), &next)
	require.Equal(t, 20, l.copies)
	for _, key := range []string{"MirrorErrorClass", "MirrorHTTPStatus", "MirrorBytes", "MirrorAttempts"} {
		require.Nil(t, l.attributes()[key], key)
	}
}

// TestCancelledRunStartsNoNextRun cancels the last round of a run. A next run would not be
// cancelled.
func TestCancelledRunStartsNoNextRun(t *testing.T) {
	l := requestedInEachRound(t)
	l.at(59.6, l.CancelWorkflow)
	l.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, temporal.IsCanceledError(l.GetWorkflowError()), "%v", l.GetWorkflowError())
	require.Equal(t, 20, l.copies)
	require.Equal(t, activities.ClassCancelled, l.updates[len(l.updates)-1].Failure.Class)
}

// requestedInEachRound returns a run of failing rounds of three minutes. In each, a request arrives
// while the failure is recorded.
func requestedInEachRound(t *testing.T) *timeline {
	t.Helper()
	l := newTimeline(t)
	l.failures = 100
	for i := range 20 {
		l.at(2.5+3*float64(i), l.request)
	}
	return l
}

// TestPriorityIsRaised has a client request a low-priority copy. Only a queued activity is
// scheduled again.
func TestPriorityIsRaised(t *testing.T) {
	raise := func(idle bool) workflows.Request { return workflows.Request{Idle: idle} }
	for name, tc := range map[string]struct {
		low       bool
		signal    workflows.Request
		copies    []bool // Whether each StreamCopy ranks low
		cancelled int    // Activities
	}{
		"by a client, while idle":             {true, raise(true), []bool{true, false}, 1},
		"by a client, while running":          {true, raise(false), []bool{true}, 0},
		"not by another list":                 {true, workflows.Request{Low: true, Idle: true}, []bool{true}, 0},
		"not of a copy that has the priority": {false, raise(true), []bool{false}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t)
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(
				func(_ context.Context, in activities.HeadSourceInput) (activities.HeadSourceResult, error) {
					require.Equal(t, tc.low, in.Low)
					return head(), nil
				})
			r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{}, nil).After(time.Minute)
			var copies []bool
			cancelled := 0
			r.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
				if info.ActivityType.Name == "StreamCopy" {
					var in activities.StreamCopyInput
					require.NoError(t, args.Get(&in))
					copies = append(copies, in.Low)
				}
			})
			r.SetOnActivityCanceledListener(func(*activity.Info) { cancelled++ })
			r.updateCache(ok)
			r.RegisterDelayedCallback(func() { r.SignalWorkflow(workflows.RequestSignal, tc.signal) }, 30*time.Second)
			in := input()
			in.Low = tc.low
			r.ExecuteWorkflow(workflows.CopyObject, in)
			require.True(t, r.result(t).Published)
			require.Equal(t, tc.copies, copies)
			require.Equal(t, tc.cancelled, cancelled)
		})
	}
}
