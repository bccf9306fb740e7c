package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// numbered sets the number of the attempt, which the test environment leaves at 1.
type numbered struct {
	interceptor.ActivityOutboundInterceptorBase
	attempt int32
}

func (n *numbered) GetInfo(ctx context.Context) activity.Info {
	info := n.Next.GetInfo(ctx)
	info.Attempt = n.attempt
	return info
}

// number lets the attempts have the server's numbers.
func (b *fixture) number(background context.Context) *numbered {
	n := &numbered{}
	wrap := func(next interceptor.ActivityOutboundInterceptor) interceptor.ActivityOutboundInterceptor {
		n.Next = next
		return n
	}
	b.env.SetWorkerOptions(worker.Options{
		Interceptors: []interceptor.WorkerInterceptor{&outbound{wrap: wrap}}, BackgroundActivityContext: background,
	})
	return n
}

// TestWaitingUsesUpNoAttempt has a copy wait for its turn, or be handed over, far more often than it
// may fail. Afterwards it may fail as often as any copy.
func TestWaitingUsesUpNoAttempt(t *testing.T) {
	const waits = 3 * activities.MaxAttempts
	for name, tc := range map[string]struct {
		wait    func(a *attempts, cancel context.CancelCauseFunc)
		class   string
		counted bool
	}{
		"no connection": {func(a *attempts, _ context.CancelCauseFunc) {
			a.origin.err = &origin.Error{Class: origin.ClassBusy}
		}, string(origin.ClassBusy), true},
		"no slot": {func(a *attempts, _ context.CancelCauseFunc) {
			a.origin.err = copier.ErrTurn // The copier's tests wait for one
		}, activities.ClassTurn, true},
		"paused by an operator": {func(a *attempts, cancel context.CancelCauseFunc) {
			a.origin.err = errors.New("cancelled")
			cancel(activity.ErrActivityPaused)
		}, activities.ClassPaused, false},
		"reset by an operator": {func(a *attempts, cancel context.CancelCauseFunc) {
			a.origin.err = errors.New("cancelled")
			cancel(activity.ErrActivityReset)
		}, activities.ClassReset, false},
		"no heartbeat": {func(a *attempts, cancel context.CancelCauseFunc) {
			a.origin.err = errors.New("cancelled")
			cancel(serviceerror.NewUnavailable("connection refused"))
		}, activities.ClassHandover, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			row := activities.FailureRow{Class: string(origin.ClassTruncated), Count: 3, Since: a.Now()}
			a.last = &activities.Progress{Row: row}
			for n := int32(1); n <= waits; n++ {
				ctx, cancel := context.WithCancelCause(t.Context())
				a.number(ctx).attempt = n
				tc.wait(a, cancel)
				f, final, delay := a.run(t)
				require.Equal(t, tc.class, f.Class)
				require.False(t, final, "attempt %d", n)
				require.Equal(t, n, a.last.Free)
				require.Equal(t, row, a.last.Row)
				require.Positive(t, delay, "the policy's delay grows with each attempt")
				require.LessOrEqual(t, delay, 30*time.Second)
				if tc.counted {
					require.Equal(t, cache.Pending, a.entry(t).State, "the lease is renewed")
				}
			}
			want := 0
			if tc.counted {
				want = waits
			}
			require.Equal(t, want, a.seen.handedBack)

			a.origin.err, a.bucket.Err = nil, errors.New("down") // Positive control
			n := a.number(t.Context())
			for failed := int32(1); failed <= activities.MaxAttempts; failed++ {
				n.attempt = waits + failed
				f, final, delay := a.run(t)
				require.Equal(t, activities.ClassStorage, f.Class)
				last := failed == activities.MaxAttempts
				require.Equal(t, last, final, "failure %d", failed)
				require.Equal(t, last, f.Exhausted)
				require.False(t, f.Permanent)
				require.Equal(t, want, a.seen.handedBack)
				if !last {
					require.Equal(t, min(500*time.Millisecond<<(failed-1), 30*time.Second), delay, "of FirstCopyPolicy")
				}
			}
		})
	}
}

// TestOnlyAnIdleCopyIsRaised has a list's copy wait for its turn. Its entry is marked only if a client's
// request would schedule the activity again.
func TestOnlyAnIdleCopyIsRaised(t *testing.T) {
	for name, tc := range map[string]struct {
		low  bool
		last activities.Progress
		want bool
	}{
		"nothing is stored":     {true, activities.Progress{Total: -1, Free: 3}, true},
		"of a client":           {false, activities.Progress{Total: -1, Free: 3}, false},
		"an upload":             {true, activities.Progress{Resume: copier.State{Upload: "u", PartSize: 5}}, false},
		"an upload, with parts": {true, activities.Progress{Done: 5, Resume: copier.State{Upload: "u", PartSize: 5}}, false},
		"it must be one stream": {true, activities.Progress{Resume: copier.State{Stream: true}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			a.in.Low, a.last = tc.low, &tc.last
			a.origin.err = copier.ErrTurn
			a.number(t.Context()).attempt = 2
			f, _, _ := a.run(t)
			require.Equal(t, activities.ClassTurn, f.Class)
			require.Equal(t, 1, a.seen.handedBack, "control: the lease is renewed")
			require.Equal(t, cache.Pending, a.entry(t).State)
			require.Equal(t, tc.want, a.entry(t).Low)
			require.Equal(t, tc.want || !tc.low, a.last.Idle())
		})
	}
}

// TestLostWorkersUseUpAttempts has workers die while they make a copy, so that no attempt reports how
// it ended.
func TestLostWorkersUseUpAttempts(t *testing.T) {
	for name, tc := range map[string]struct {
		attempt, free int32
		ends          bool
	}{
		"eight attempts":                  {9, 0, true},
		"seven attempts":                  {8, 0, false},
		"eight, one of them handed over":  {9, 1, false},
		"nine, one of them handed over":   {10, 1, true},
		"reset by an operator":            {1, 5, false},
		"eight since a reset by operator": {9, 20, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			a.number(t.Context()).attempt = tc.attempt
			a.env.SetHeartbeatDetails(activities.Progress{Free: tc.free})
			_, err := a.env.ExecuteActivity(a.StreamCopy, a.in)
			if !tc.ends {
				require.NoError(t, err)
				require.EqualValues(t, 1, a.origin.requests.Load())
				return
			}
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.True(t, app.NonRetryable())
			var f activities.Failure
			require.NoError(t, app.Details(&f))
			require.Equal(t, activities.ClassInternal, f.Class)
			require.Equal(t, "no attempt is left, and the worker of the last one was lost", f.Text)
			require.True(t, f.Exhausted)
			require.False(t, f.Permanent)
			require.Zero(t, a.origin.requests.Load())
		})
	}
}
