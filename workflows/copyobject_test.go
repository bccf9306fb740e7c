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

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

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

// TestCopyThatAnOlderBuildDescribed continues a run after a HeadSource that described the source.
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
	require.Len(t, r.updates, 1+int(workflows.UpdateCachePolicy().MaximumAttempts), "the first one is local")
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
