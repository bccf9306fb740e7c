package activities_test

import (
	"context"
	"errors"
	"net/http"
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
			require.Len(t, a.seen.attempts, waits)
			require.False(t, a.seen.attempts[0], "the first attempt is a retry")
			require.True(t, a.seen.attempts[1])
			require.Len(t, a.seen.attemptsFailed, waits)
			require.Equal(t, a.Pool.ID()+" "+tc.class+" 0", a.seen.attemptsFailed[0])
			require.Zero(t, a.seen.running)

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

// TestEntryTellsAttempts has a copy wait for its turn, and then fail until its series ends. After each
// attempt, the entry has the number of failed attempts, and the time of the next attempt as the server
// schedules it.
func TestEntryTellsAttempts(t *testing.T) {
	for name, waits := range map[string]int32{"it never waits": 0, "it waits first": 3} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			n := a.number(t.Context())
			a.origin.err = copier.ErrTurn
			for n.attempt = 1; n.attempt <= waits; n.attempt++ {
				_, _, delay := a.run(t)
				e := a.entry(t)
				require.Equal(t, cache.Pending, e.State)
				require.Zero(t, e.Attempts, "an attempt that only waits does not count")
				require.Equal(t, a.Now().Add(delay), e.NextRetry.UTC())
			}
			a.origin.err, a.bucket.Err = nil, errors.New("down")
			policy := activities.RetryPauses(true) // workflows.FirstCopyPolicy has them
			for failed := int32(1); failed <= activities.MaxAttempts; failed++ {
				n.attempt = waits + failed
				f, final, delay := a.run(t)
				require.Equal(t, failed, f.Attempts)
				e := a.entry(t)
				require.Equal(t, cache.Pending, e.State)
				if final {
					require.EqualValues(t, activities.MaxAttempts, failed)
					require.Equal(t, failed-1, e.Attempts, "the workflow records the failure")
					require.Equal(t, failed, a.publish(t, f).Attempts)
					require.True(t, a.entry(t).NextRetry.IsZero())
					return
				}
				if waits == 0 {
					require.Zero(t, delay, "the policy's pause")
					delay = min(policy.First<<(failed-1), policy.Longest)
				}
				require.Equal(t, failed, e.Attempts)
				require.Equal(t, a.Now().Add(delay), e.NextRetry.UTC())
			}
		})
	}
}

// TestNextRetryIsTheDelayOfTheSource has a source request a delay. It replaces the policy's pause.
func TestNextRetryIsTheDelayOfTheSource(t *testing.T) {
	a := newAttempts(t)
	a.origin.answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {"7"}})
	_, final, delay := a.run(t)
	require.False(t, final)
	require.Equal(t, 7*time.Second, delay)
	require.Equal(t, a.Now().Add(delay), a.entry(t).NextRetry.UTC())
}

// shortWriter drops the last byte of a body.
type shortWriter struct{ http.ResponseWriter }

func (s shortWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s shortWriter) Write(b []byte) (int, error) {
	if string(b) == body[len(body)-1:] {
		return len(b), nil
	}
	return s.ResponseWriter.Write(b)
}

// TestAttemptOfAnEndedRunKeepsTheOutcome has an operator end a copy whose attempt goes on for a while. A
// client that waits must not restart the copy.
func TestAttemptOfAnEndedRunKeepsTheOutcome(t *testing.T) {
	for name, tc := range map[string]struct {
		late  func(a *attempts)
		class string // Of the attempt
	}{
		"it waits for its turn": {func(a *attempts) { a.origin.err = copier.ErrTurn }, activities.ClassTurn},
		"it copies, and loses its source": {func(a *attempts) {
			a.Rules.Lease, a.Now = time.Millisecond, time.Now // Each beat renews it
			a.origin.get = func(w http.ResponseWriter, r *http.Request) {
				drip(shortWriter{w}, r, 700*time.Millisecond)
			}
		}, string(origin.ClassTruncated)},
		"it is to wait for minutes": {func(a *attempts) {
			a.last = &activities.Progress{Done: 5, Resume: copier.State{Upload: "u", PartSize: 5 << 20}}
			a.origin.answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {"120"}})
		}, string(origin.ClassBadHTTPStatus)},
	} {
		for ending, f := range map[string]*activities.Failure{
			"control: none":         nil,
			"failed by an operator": {Class: activities.ClassOperator, Permanent: true},
		} {
			t.Run(name+"/"+ending, func(t *testing.T) {
				a := newAttempts(t)
				tc.late(a)
				if f != nil {
					a.publish(t, *f)
				}
				failed, final, _ := a.run(t)
				require.Equal(t, tc.class, failed.Class)
				require.False(t, final)
				e := a.entry(t)
				if f == nil {
					require.NotEqual(t, activities.ClassOperator, e.Class)
					require.False(t, e.Final())
					return
				}
				require.Equal(t, activities.ClassOperator, e.Class)
				require.True(t, e.Final())
			})
		}
	}
}

// TestFailedAttemptChangesNoNewerEntry has an attempt fail after its object was purged, or after the
// outcome of the copy was recorded.
func TestFailedAttemptChangesNoNewerEntry(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile func(a *attempts)
		want      cache.State
		attempts  int32
	}{
		"control: nothing": {func(*attempts) {}, cache.Pending, 1},
		"control: the lease has expired": {func(a *attempts) {
			require.NoError(t, a.cache.Abandon(t.Context(), a.key()))
		}, cache.Pending, 1},
		"purged": {func(a *attempts) {
			_, err := a.cache.Purge(t.Context(), a.key())
			require.NoError(t, err)
		}, cache.Absent, 0},
		"purged and requested again": {func(a *attempts) {
			_, err := a.cache.Purge(t.Context(), a.key())
			require.NoError(t, err)
			_, mine, err := a.cache.Acquire(t.Context(), a.key(), a.Rules.Pending(a.Now(), "front end", 0, -1))
			require.NoError(t, err)
			require.True(t, mine)
		}, cache.Pending, 0},
		"copied": {func(a *attempts) {
			require.NoError(t, a.cache.Put(t.Context(), a.key(), 0, a.Rules.Present(a.Now(), cache.Copy{})))
		}, cache.Present, 0},
		"cancelled": {func(a *attempts) {
			require.NoError(t, a.cache.Put(t.Context(), a.key(), 0, a.Rules.Failed(a.Now(), cache.Reason{Class: activities.ClassCancelled})))
		}, cache.Error, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			require.NoError(t, a.cache.Put(t.Context(), a.key(), 0, a.Rules.Pending(a.Now(), "run", 0, -1)))
			a.origin.get = func(w http.ResponseWriter, _ *http.Request) {
				tc.meanwhile(a)
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, final, _ := a.run(t)
			require.False(t, final)
			e := a.entry(t)
			require.Equal(t, tc.want, e.State)
			require.Equal(t, tc.attempts, e.Attempts)
		})
	}
}
