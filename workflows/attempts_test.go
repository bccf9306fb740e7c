package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

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
	const waits = unlimited - 1
	require.Greater(t, waits, activities.MaxAttempts)
	for name, class := range map[string]string{"waits for its turn": activities.ClassTurn, "handed over": activities.ClassHandover} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t)
			r.OnActivity("HeadSource", mock.Anything, mock.Anything).Return(head(), nil)
			attempts := 0
			r.OnActivity("StreamCopy", mock.Anything, mock.Anything).Return(
				func(context.Context, activities.StreamCopyInput) (activities.StreamCopyResult, error) {
					if attempts++; attempts <= waits {
						return activities.StreamCopyResult{}, failed(class, 0, false)
					}
					return activities.StreamCopyResult{Copy: activities.Copy{Size: 5}}, nil
				})
			r.updateCache(ok)
			r.ExecuteWorkflow(workflows.CopyObject, input())
			require.True(t, r.result(t).Published)
			require.Equal(t, waits+1, attempts)
		})
	}
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
	// The server itself ends a series only in runs of earlier builds: their policy had a limit.
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
		"workers lost, no progress":  {lost, progress{at("a", 1), at("a", 1), at("a", 2)}, 2, unlimited, activities.ClassTimedOut},
		"workers lost, no upload":    {lost, progress{at("", 0), at("a", 1)}, 1, unlimited, activities.ClassTimedOut},
		"workers lost, no heartbeat": {silent, progress{at("a", 1), at("a", 2)}, 1, unlimited, activities.ClassTimedOut},
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
