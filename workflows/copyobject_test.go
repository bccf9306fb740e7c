package workflows_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

func input() workflows.CopyObjectInput {
	return workflows.CopyObjectInput{Source: activities.SealedObject{
		Service: "s3", Region: "us-west-2", URL: "https://example.com/a.zip", Hash: "00",
	}}
}

// run is a workflow in the SDK's test environment. Its activities are mocked by name.
type run struct {
	*testsuite.TestWorkflowEnvironment
	updates []activities.UpdateCacheInput
}

func newRun(t *testing.T) *run {
	t.Helper()
	r := &run{TestWorkflowEnvironment: (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()}
	r.RegisterActivity(&activities.Activities{})
	return r
}

// updateCache mocks UpdateCache by answer, which gets the number of the call, and keeps the inputs.
func (r *run) updateCache(answer func(n int) error) {
	r.OnActivity("UpdateCache", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.UpdateCacheInput) error {
			r.updates = append(r.updates, in)
			return answer(len(r.updates))
		})
}

func failed(class string, status int, permanent bool) error {
	return temporal.NewApplicationErrorWithOptions(class, class, temporal.ApplicationErrorOptions{
		NonRetryable: permanent,
		Details:      []any{activities.Failure{Class: class, Status: status, Permanent: permanent, Text: class}},
	})
}

func ok(int) error { return nil }

// retryable returns the error of an attempt of StreamCopy. It is marked if the attempt uses up the
// series.
func retryable(ctx context.Context, class string, after time.Duration, details ...any) error {
	last := activity.GetInfo(ctx).Attempt == activities.MaxAttempts
	f := activities.Failure{Class: class, Text: class, Exhausted: last, RetryAfter: after}
	return temporal.NewApplicationErrorWithOptions(class, class, temporal.ApplicationErrorOptions{
		NonRetryable: last, NextRetryDelay: after, Details: append([]any{f}, details...),
	})
}

// unlimited is the number of runs of an activity without a limit in the test environment.
const unlimited = 10

// TestAttemptsHaveNoLimitOfTheServer: only the activity knows which attempts failed.
func TestAttemptsHaveNoLimitOfTheServer(t *testing.T) {
	for name, p := range map[string]*temporal.RetryPolicy{"first": workflows.FirstCopyPolicy(), "large": workflows.StreamCopyPolicy()} {
		require.Zero(t, p.MaximumAttempts, name)
	}
	for name, tc := range map[string]struct {
		class string
		waits int32
	}{"waits for its turn": {activities.ClassTurn, unlimited - 1}, "handed over": {activities.ClassHandover, unlimited - 1}} {
		t.Run(name, func(t *testing.T) {
			require.Greater(t, tc.waits, int32(activities.MaxAttempts))
			r := newRun(t)
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil)
			attempts := int32(0)
			r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
				func(context.Context, activities.StreamCopyInput) (activities.StreamCopyResult, error) {
					if attempts++; attempts <= tc.waits {
						return activities.StreamCopyResult{}, failed(tc.class, 0, false)
					}
					return activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil
				})
			r.updateCache(ok)
			r.ExecuteWorkflow(workflows.CopyObject, input())
			require.True(t, r.result(t).Published)
			require.Equal(t, tc.waits+1, attempts)
		})
	}
}

func head() activities.HeadSourceResult {
	return activities.HeadSourceResult{Meta: origin.Meta{Size: -1}, First: true, Generation: 3}
}

// described is the result of a HeadSource of a build before 2026-11-25, which described the source.
func described(size int64) activities.HeadSourceResult {
	return activities.HeadSourceResult{Meta: origin.Meta{Size: size}, Generation: 3}
}

func (r *run) result(t *testing.T) workflows.CopyObjectResult {
	t.Helper()
	require.True(t, r.IsWorkflowCompleted())
	require.NoError(t, r.GetWorkflowError())
	var out workflows.CopyObjectResult
	require.NoError(t, r.GetWorkflowResult(&out))
	return out
}

func (r *run) requireFailed(t *testing.T, class string) {
	t.Helper()
	require.True(t, r.IsWorkflowCompleted())
	var app *temporal.ApplicationError
	require.ErrorAs(t, r.GetWorkflowError(), &app)
	require.Equal(t, class, app.Type())
	require.True(t, app.NonRetryable())
}

func TestSuccess(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, activities.HeadSourceInput{Source: input().Source}).Return(head(), nil).Once()
	r.OnActivity("StreamCopy", mock.Anything, activities.StreamCopyInput{
		Source: input().Source, First: true, Meta: origin.Meta{Size: -1}, Generation: 3,
	}).Return(activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil).Once()
	r.updateCache(ok)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	require.Equal(t, workflows.CopyObjectResult{Copy: activities.Copy{Size: 5}, Copied: true, Published: true}, r.result(t))
	require.Equal(t, []activities.UpdateCacheInput{
		{Source: input().Source, Generation: 3, Known: true, Copy: &activities.Copy{Size: 5}},
	}, r.updates)
	r.AssertExpectations(t)
}

// TestLargeObjectGoesToItsOwnQueue has the first request find a large object, or one of unknown
// length.
func TestLargeObjectGoesToItsOwnQueue(t *testing.T) {
	for _, size := range []int64{copier.Small + 1, -1} {
		t.Run(strconv.FormatInt(size, 10), func(t *testing.T) {
			r := newRun(t)
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil).Once()
			meta := origin.Meta{Size: size, ETag: `"a"`}
			var queues []string
			r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
				func(ctx context.Context, in activities.StreamCopyInput) (activities.StreamCopyResult, error) {
					queues = append(queues, activity.GetInfo(ctx).TaskQueue)
					if in.First {
						return activities.StreamCopyResult{Large: &meta}, nil
					}
					require.Equal(t, meta, in.Meta)
					return activities.StreamCopyResult{Copy: activities.Copy{Size: 1 << 30}}, nil
				}).Times(2)
			r.updateCache(ok)
			r.ExecuteWorkflow(workflows.CopyObject, input())
			require.EqualValues(t, 1<<30, r.result(t).Copy.Size)
			require.Equal(t, workflows.LargeTaskQueue("s3_us-west-2"), queues[1])
			require.NotEqual(t, queues[1], queues[0])
			r.AssertExpectations(t)
		})
	}
}

// TestCopyThatAnOlderBuildDescribed continues a run whose HeadSource described the source.
func TestCopyThatAnOlderBuildDescribed(t *testing.T) {
	for size, large := range map[int64]bool{5: false, copier.Small: false, copier.Small + 1: true, -1: true} {
		t.Run(strconv.FormatInt(size, 10), func(t *testing.T) {
			r := newRun(t)
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(described(size), nil).Once()
			r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
				func(ctx context.Context, in activities.StreamCopyInput) (activities.StreamCopyResult, error) {
					require.False(t, in.First)
					require.Equal(t, size, in.Meta.Size)
					require.Equal(t, large, activity.GetInfo(ctx).TaskQueue == workflows.LargeTaskQueue("s3_us-west-2"))
					return activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil
				}).Once()
			r.updateCache(ok)
			r.ExecuteWorkflow(workflows.CopyObject, input())
			require.True(t, r.result(t).Published)
			r.AssertExpectations(t)
		})
	}
}

func TestExistingCopyIsNotMadeAgain(t *testing.T) {
	r := newRun(t)
	existing := head()
	existing.Stored = &activities.Copy{Size: 9}
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(existing, nil)
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{}, nil).Never()
	r.updateCache(ok)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	require.Equal(t, workflows.CopyObjectResult{Copy: activities.Copy{Size: 9}, Published: true}, r.result(t))
	r.AssertExpectations(t)
}

func TestMissingSource(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil).Once()
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).
		Return(activities.StreamCopyResult{}, failed("BadHTTPStatus", 404, true)).Once()
	r.updateCache(ok)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	r.requireFailed(t, "BadHTTPStatus")
	require.Equal(t, &activities.Failure{Class: "BadHTTPStatus", Status: 404, Permanent: true, Text: "BadHTTPStatus"},
		r.updates[0].Failure)
	r.AssertExpectations(t)
}

func TestSourceThatRecovers(t *testing.T) {
	r := newRun(t)
	attempts := 0
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil)
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
		func(context.Context, activities.StreamCopyInput) (activities.StreamCopyResult, error) {
			if attempts++; attempts < 3 {
				return activities.StreamCopyResult{}, failed("BadHTTPStatus", 503, false)
			}
			return activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil
		})
	r.updateCache(ok)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, r.result(t).Copied)
	require.Equal(t, 3, attempts)
}

func TestRetriesRunOut(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(described(100<<20), nil)
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
		func(ctx context.Context, _ activities.StreamCopyInput) (activities.StreamCopyResult, error) {
			return activities.StreamCopyResult{}, retryable(ctx, "SourceTruncated", 0)
		}).Times(activities.MaxAttempts)
	r.updateCache(ok)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	r.requireFailed(t, "SourceTruncated")
	require.False(t, r.updates[0].Failure.Permanent)
	r.AssertExpectations(t)
}

func TestErrorWithoutDetails(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(activities.HeadSourceResult{}, errors.New("panic"))
	r.updateCache(ok)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	r.requireFailed(t, activities.ClassInternal)
}

func TestCancelled(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil)
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{}, nil).After(time.Hour)
	r.updateCache(ok)
	r.RegisterDelayedCallback(r.CancelWorkflow, time.Minute)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, r.IsWorkflowCompleted())
	require.True(t, temporal.IsCanceledError(r.GetWorkflowError()), "%v", r.GetWorkflowError())
	require.Len(t, r.updates, 1)
	require.Equal(t, activities.ClassCancelled, r.updates[0].Failure.Class)
	require.EqualValues(t, 3, r.updates[0].Generation)
}

func TestFailedCacheUpdateDoesNotFailTheCopy(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil)
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil)
	r.updateCache(func(int) error { return failed(activities.ClassCache, 0, false) })
	r.ExecuteWorkflow(workflows.CopyObject, input())
	require.Equal(t, workflows.CopyObjectResult{Copy: activities.Copy{Size: 5}, Copied: true}, r.result(t))
	require.Len(t, r.updates, int(workflows.UpdateCachePolicy().MaximumAttempts))
}

func TestPurgeBeforeThePublication(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil)
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil)
	r.updateCache(func(n int) error {
		if n == 1 {
			return failed(activities.ClassPurged, 0, true)
		}
		return nil
	})
	r.ExecuteWorkflow(workflows.CopyObject, input())
	r.requireFailed(t, activities.ClassPurged)
	require.Len(t, r.updates, 2, "clients that asked again keep waiting")
	require.Equal(t, activities.ClassPurged, r.updates[1].Failure.Class)
}

func TestChangedSourceIsCopiedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		changes int
		ok      bool
	}{"twice": {2, true}, "every time": {100, false}} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t)
			heads, copies := 0, 0
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(
				func(context.Context, activities.HeadSourceInput) (activities.HeadSourceResult, error) {
					heads++
					return head(), nil
				})
			r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
				func(context.Context, activities.StreamCopyInput) (activities.StreamCopyResult, error) {
					if copies++; copies <= tc.changes {
						return activities.StreamCopyResult{}, temporal.NewApplicationErrorWithOptions("changed", activities.ClassChanged,
							temporal.ApplicationErrorOptions{
								NonRetryable: true, Details: []any{activities.Failure{Class: activities.ClassChanged}},
							})
					}
					return activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil
				})
			r.updateCache(ok)
			r.ExecuteWorkflow(workflows.CopyObject, input())
			require.Equal(t, 3, heads)
			require.Equal(t, 3, copies)
			if tc.ok {
				require.True(t, r.result(t).Published)
				return
			}
			r.requireFailed(t, activities.ClassChanged)
		})
	}
}

func TestCancellationDuringThePublication(t *testing.T) {
	r := newRun(t)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil)
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil)
	r.updateCache(func(n int) error {
		if n < 5 {
			return failed(activities.ClassCache, 0, false)
		}
		return nil
	})
	r.RegisterDelayedCallback(r.CancelWorkflow, 300*time.Millisecond) // After the first attempt
	r.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, r.result(t).Published)
}

// TestAttemptsThatMadeProgress lets the attempts of StreamCopy run out again and again. The
// workflow schedules it again, with the state to resume from, while each series of attempts stores
// more than the series before.
func TestAttemptsThatMadeProgress(t *testing.T) {
	at := func(upload string, done int64) activities.Progress {
		return activities.Progress{Done: done, Total: 100, Resume: copier.State{
			Upload: upload, PartSize: 10, Hashed: 1, Hash: []byte{byte(done)},
		}}
	}
	type progress = []activities.Progress
	runsOut := func(ctx context.Context, p ...any) error { return retryable(ctx, "SourceTruncated", 0, p...) }
	permanent := func(_ context.Context, p ...any) error {
		return temporal.NewApplicationErrorWithOptions("gone", "BadHTTPStatus", temporal.ApplicationErrorOptions{
			NonRetryable: true, Details: append([]any{activities.Failure{Class: "BadHTTPStatus", Permanent: true}}, p...),
		})
	}
	// The server itself ends a series only in runs whose policy had a limit.
	lost := func(_ context.Context, p ...any) error { return temporal.NewHeartbeatTimeoutError(p...) }
	silent := func(context.Context, ...any) error { return temporal.NewHeartbeatTimeoutError() }
	const all = activities.MaxAttempts
	for name, tc := range map[string]struct {
		fails    func(ctx context.Context, p ...any) error
		progress progress // At the end of each failed series of attempts; the next series succeeds
		series   int      // Number of series
		attempts int      // In each failed series
		class    string   // The error class of the workflow; empty if it succeeds
	}{
		"more in each series":        {runsOut, progress{at("a", 1), at("a", 2), at("a", 9)}, 4, all, ""},
		"more of another upload":     {runsOut, progress{at("a", 1), at("b", 2)}, 3, all, ""},
		"no more in a series":        {runsOut, progress{at("a", 1), at("a", 2), at("a", 2), at("a", 3)}, 3, all, "SourceTruncated"},
		"less in a series":           {runsOut, progress{at("a", 2), at("b", 1), at("b", 3)}, 2, all, "SourceTruncated"},
		"nothing stored":             {runsOut, progress{at("a", 0), at("a", 1)}, 1, all, "SourceTruncated"},
		"nothing to resume from":     {runsOut, progress{at("", 5), at("", 6)}, 1, all, "SourceTruncated"},
		"non-retryable":              {permanent, progress{at("a", 1), at("a", 2)}, 1, 1, "BadHTTPStatus"},
		"workers lost":               {lost, progress{at("a", 1), at("a", 2)}, 3, unlimited, ""},
		"workers lost, no progress":  {lost, progress{at("a", 1), at("a", 1), at("a", 2)}, 2, unlimited, activities.ClassInternal},
		"workers lost, no upload":    {lost, progress{at("", 0), at("a", 1)}, 1, unlimited, activities.ClassInternal},
		"workers lost, no heartbeat": {silent, progress{at("a", 1), at("a", 2)}, 1, unlimited, activities.ClassInternal},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t)
			large := described(100 << 20)
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(large, nil).Once()
			var resumed []copier.State
			r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
				func(ctx context.Context, in activities.StreamCopyInput) (activities.StreamCopyResult, error) {
					resumed = append(resumed, in.Resume)
					if series := (len(resumed) - 1) / tc.attempts; series < len(tc.progress) {
						return activities.StreamCopyResult{}, tc.fails(ctx, tc.progress[series])
					}
					return activities.StreamCopyResult{Copy: activities.Copy{Size: large.Meta.Size}}, nil
				})
			aborted := 0
			r.OnActivity("AbortUpload", mock.Anything, mock.Anything).Return(
				func(context.Context, activities.AbortUploadInput) error { aborted++; return nil })
			r.updateCache(ok)
			r.ExecuteWorkflow(workflows.CopyObject, input())

			var want []copier.State
			for i := range tc.series {
				var state copier.State
				if i > 0 {
					state = tc.progress[i-1].Resume
				}
				last := tc.class == "" && i == tc.series-1 // Succeeds at its first attempt
				for n := 0; n < tc.attempts && (!last || n == 0); n++ {
					want = append(want, state)
				}
			}
			require.Equal(t, want, resumed)
			if tc.class == "" {
				require.True(t, r.result(t).Published)
				require.Zero(t, aborted)
				return
			}
			r.requireFailed(t, tc.class)
			require.Equal(t, 1, aborted)
		})
	}
}

// TestFoundCopyLeavesNoUpload has StreamCopy find a copy, which does not contain the parts that
// this workflow stored.
func TestFoundCopyLeavesNoUpload(t *testing.T) {
	for way, aborted := range map[string]int{activities.WayFound: 1, copier.WayRanges: 0} {
		t.Run(way, func(t *testing.T) {
			r := newRun(t)
			large := described(100 << 20)
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(large, nil).Once()
			r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(activities.StreamCopyResult{Copy: activities.Copy{Way: way}}, nil).Once()
			aborts := 0
			r.OnActivity("AbortUpload", mock.Anything, mock.Anything).Return(
				func(context.Context, activities.AbortUploadInput) error { aborts++; return errors.New("down") })
			r.updateCache(ok)
			r.ExecuteWorkflow(workflows.CopyObject, input())
			require.True(t, r.result(t).Published)
			require.Equal(t, aborted, min(aborts, 1))
		})
	}
}

// TestPauseBetweenSeriesOfAttempts has the source send Retry-After to the last attempt of a series.
func TestPauseBetweenSeriesOfAttempts(t *testing.T) {
	r := newRun(t)
	large := described(100 << 20)
	r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(large, nil).Once()
	var at []time.Time
	r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
		func(ctx context.Context, _ activities.StreamCopyInput) (activities.StreamCopyResult, error) {
			at = append(at, r.Now())
			if len(at) <= activities.MaxAttempts {
				return activities.StreamCopyResult{}, retryable(ctx, "BadHTTPStatus", 300*time.Second,
					activities.Progress{Done: 1, Resume: copier.State{Upload: "a"}})
			}
			return activities.StreamCopyResult{}, nil
		})
	r.updateCache(ok)
	r.ExecuteWorkflow(workflows.CopyObject, input())
	require.True(t, r.result(t).Published)
	for i := range at[1:] {
		require.GreaterOrEqual(t, at[i+1].Sub(at[i]), 300*time.Second, i)
	}
}
