package activities

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

const (
	// beat is how often a running copy heartbeats, and so how soon it learns of its cancellation.
	beat = time.Second
	// news is how often a running copy renews its lease with its progress, for clients that ask for
	// the status. The lease itself only needs a renewal every third of its time.
	news = 2 * time.Second
	// quietBeats is how many heartbeats a copy leaves out until it has an upload to report: the SDK
	// sends an attempt's first heartbeat at once, and throttles the rest.
	quietBeats = 5
	// bucketPatience is how many stall timeouts of a source a bucket may take to accept a byte: a
	// part shows no progress before all of it is stored.
	bucketPatience = 10
)

// transfer watches one attempt of StreamCopy. It heartbeats, renews the lease while the copy makes
// progress, and ends a copy that stalls or was purged.
type transfer struct {
	a   *Activities
	in  StreamCopyInput
	key string
	// object is the key of the copy, for logs. It is empty until the source was opened.
	object string
	job    *copier.Job
	// replaces is the ETag of the object that the copy may overwrite.
	replaces string
	// sha256 is the digest that the source sent, in hex, nil if it sent none.
	sha256 atomic.Pointer[string]
	// last is the progress of earlier attempts.
	last  Progress
	state atomic.Pointer[copier.State]
}

func newTransfer(ctx context.Context, a *Activities, in StreamCopyInput) *transfer {
	t := &transfer{a: a, in: in, job: &copier.Job{}, last: Progress{Resume: in.Resume}}
	t.job.Counters.Size.Store(in.Meta.Size)
	var last Progress
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &last) == nil {
		t.last = last
	}
	// A reset by an operator restarts the server's count.
	t.last.Free = min(t.last.Free, activity.GetInfo(ctx).Attempt-1)
	return t
}

// failed counts the earlier attempts of this series that failed. An attempt whose worker died is one
// of them, so an object that kills workers ends its series.
func (t *transfer) failed(ctx context.Context) int32 {
	return activity.GetInfo(ctx).Attempt - 1 - t.last.Free
}

// checkpoint heartbeats with the state. The SDK sends the first heartbeat of an attempt at once.
func (t *transfer) checkpoint(ctx context.Context, s copier.State) {
	t.state.Store(&s)
	activity.RecordHeartbeat(ctx, t.progress())
}

// describe notes the digest that the source sent. If it is not the one that the first client expects,
// the lease is renewed at once, so that the client need not wait for the copy.
func (t *transfer) describe(ctx context.Context, m origin.Meta) {
	sum := m.SHA256()
	if sum == "" {
		return
	}
	t.sha256.Store(&sum)
	if t.in.SHA256 != "" && t.in.SHA256 != sum {
		_ = t.renew(ctx, t.a.Now(), false) // A purge ends the copy at its next beat.
	}
}

// watch returns a context for the copy, and a function that ends the watch. The context's cause is
// a stall, a slow source, a purge or a handover if that is why it was cancelled.
func (t *transfer) watch(ctx context.Context) (context.Context, func()) {
	// A heartbeat has the activity's context. The end of the copy would cut a call that has the
	// copy's, and the SDK cancels an activity whose heartbeat fails: the copy's error would be
	// lost.
	heartbeat := func() { activity.RecordHeartbeat(ctx, t.progress()) }
	copying, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(t.run(copying, heartbeat))
	}()
	return copying, func() {
		cancel(nil)
		<-done
	}
}

// run judges the copy at every beat, until its context ends or a verdict ends it. It returns the
// cause for the context.
func (t *transfer) run(ctx context.Context, heartbeat func()) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	r := record{MovedAt: t.a.Now(), RenewedAt: t.a.Now()}
	for beats := 1; ; beats++ {
		select {
		case <-ctx.Done():
			return nil
		case <-activity.GetWorkerStopChannel(ctx):
			return errHandover
		case <-ticker.C:
		}
		if t.state.Load() != nil || beats > quietBeats || t.in.First {
			heartbeat()
		}
		var err error
		if r, err = t.check(ctx, r); err != nil {
			return err
		}
	}
}

// check judges the copy once, and renews the lease if that is the verdict. Its error ends the copy.
func (t *transfer) check(ctx context.Context, r record) (record, error) {
	now, l := t.a.Now(), t.limits()
	s := t.snapshot()
	v, r := judge(now, s, r, l)
	switch v {
	case sourceTooSlow:
		return r, fmt.Errorf("%w: it sent %d bytes in %s, and source.min_average_rate is %d bytes a second",
			copier.ErrTooSlow, s.Fetched, s.Connected.Round(time.Second), l.AverageRate)
	case sourceStalled:
		return r, t.stalled(copier.ErrStalled, now.Sub(r.MovedAt))
	case bucketStalled:
		return r, t.stalled(errBucketStalled, now.Sub(r.MovedAt))
	case renewLease:
		err := t.renew(ctx, now, false)
		if v, r = judgeRenewal(now, err != nil, r, l); v == copyPurged {
			return r, err
		}
	default:
	}
	return r, nil
}

func (t *transfer) snapshot() snapshot {
	s := snapshotOf(&t.job.Counters)
	s.KeepsOut = t.a.Copier.KeepsOut(t.job)
	return s
}

func (t *transfer) limits() limits {
	third := t.a.Rules.Lease / 3
	return limits{Stall: bucketPatience * t.a.Copier.StallTimeout, Renew: min(news, third), Grace: third, AverageRate: t.a.Copier.MinAverageRate}
}

// stalled returns the error of a copy that moved no byte for a time.
func (t *transfer) stalled(cause error, since time.Duration) error {
	stored := strconv.FormatInt(t.job.Counters.Stored.Load(), 10)
	if size := t.job.Counters.Size.Load(); size >= 0 {
		stored += fmt.Sprintf(" of %d", size)
	}
	return fmt.Errorf("%w: no byte moved for %s, after %s bytes", cause, since.Round(time.Second), stored)
}

// renew renews the lease. The copy waits if it makes no progress: a client can then raise its priority,
// if the copy is idle. It fails only with [cache.ErrPurged]: a copy continues while redis is down.
func (t *transfer) renew(ctx context.Context, now time.Time, waits bool) error {
	entry := t.lease(ctx, now, waits)
	if entry.Attempts = t.failed(ctx); t.begun() {
		entry.Attempts++
	}
	return t.store(ctx, entry)
}

// renewUntil renews the lease of a copy that waits for its next attempt, which follows after delay.
// The attempts are those that have failed.
func (t *transfer) renewUntil(ctx context.Context, attempts int32, delay time.Duration) error {
	now := t.a.Now()
	entry := t.lease(ctx, now, true)
	entry.Attempts, entry.NextRetry = attempts, now.Add(delay)
	return t.store(ctx, entry)
}

// begun reports whether the attempt has done more than wait for its turn.
func (t *transfer) begun() bool { return !t.snapshot().Waiting || t.job.Counters.Fetched.Load() > 0 }

// lease returns the entry of the running copy.
func (t *transfer) lease(ctx context.Context, now time.Time, waits bool) cache.Entry {
	entry := t.a.Rules.Pending(now, owner(ctx), t.job.Counters.Stored.Load(), t.job.Counters.Size.Load())
	entry.Run = entry.Owner
	entry.Low = t.in.Low && waits && t.progress().Idle()
	if sum := t.sha256.Load(); sum != nil {
		entry.SHA256 = *sum
	}
	return entry
}

// store stores a pending entry. See renew about its error.
func (t *transfer) store(ctx context.Context, entry cache.Entry) error {
	err := t.a.Cache.Put(ctx, t.key, t.in.Generation, entry)
	if errors.Is(err, cache.ErrPurged) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		activity.GetLogger(ctx).Warn("lease not renewed", "error", err)
	}
	return nil
}

// fail returns the error of a failed attempt. It sends a heartbeat first, so that the next attempt
// knows how often the copy failed in this way.
func (t *transfer) fail(ctx context.Context, err error) error {
	err, failed := ended(ctx, err)
	if !failed {
		return err
	}
	if errors.Is(err, errEnded) {
		t.terminated(ctx)
	}
	f, p := failure(err), t.progress()
	t.a.Observer.AttemptFailed(t.a.Pool.ID(), f.Class, f.Status)
	f.Lost = f.loses(t.job.Counters.Fetched.Load(), p.Done, t.last.Done)
	log := activity.GetLogger(ctx)
	if f.free() {
		log.Debug("attempt handed back", "object", t.object, "class", f.Class, "error", f.Text)
		return t.handBack(ctx, f, p)
	}
	log.Info("attempt failed", "object", t.object, "class", f.Class, "status", f.Status, "error", f.Text)
	p.Row = t.last.Row.next(f.Class, p.Done, t.a.Now())
	f.Repeats = p.Row.Count > 1 || f.Class == ClassTooSlow
	activity.RecordHeartbeat(ctx, p)
	if f.Attempts = t.failed(ctx); !errors.Is(err, errLost) {
		f.Attempts++
	}
	final := f.final() || p.Row.over(f, t.in.First, t.a.Now())
	f.Exhausted = !final && f.Attempts >= MaxAttempts
	again, long := !final && !f.Exhausted, f.RetryAfter > maxRetryAfter
	if again && p.Free > 0 {
		f.RetryAfter = max(f.RetryAfter, RetryPauses(t.in.First).after(f.Attempts))
	}
	switch {
	case long && !final:
		t.pause(ctx, f)
	case again:
		t.retried(ctx, f)
	}
	return f.toTemporal(final || f.Exhausted, p)
}

// handBack returns the error of an attempt that used up none: another attempt follows in any case. It
// renews the lease of a copy that waits for its turn, since a request for another copy changes
// nothing.
func (t *transfer) handBack(ctx context.Context, f Failure, p Progress) error {
	p.Free++
	if !f.resumes() {
		f.RetryAfter = turnPause(p.Free)
		if err := t.renewUntil(ctx, t.failed(ctx), f.RetryAfter); err != nil {
			return failure(err).toTemporal(true, p)
		}
		t.a.Observer.HandedBack(t.in.Source.Pool())
	}
	activity.RecordHeartbeat(ctx, p)
	return f.toTemporal(false, p)
}

// terminateTimeout bounds the calls of terminated.
const terminateTimeout = 5 * time.Second

// terminated records that an operator terminated the workflow, unless another run has taken over.
// The workflow itself can't: clients would wait out the lease, and restart the copy.
func (t *transfer) terminated(ctx context.Context) {
	run := activity.GetInfo(ctx).WorkflowExecution
	log := activity.GetLogger(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), terminateTimeout)
	defer cancel()
	if is, err := t.a.Owners.Terminated(ctx, run.ID, run.RunID); err != nil || !is {
		return
	}
	entry, err := t.a.Cache.Get(ctx, t.key)
	if err != nil || entry.State != cache.Pending || entry.Owner != run.RunID {
		return
	}
	entry = t.a.Rules.Failed(t.a.Now(), cache.Reason{Class: ClassTerminated, Text: "an operator terminated the workflow"})
	entry.Run = run.RunID
	if err := t.a.Cache.Put(ctx, t.key, t.in.Generation, entry); err != nil {
		log.Warn("termination not recorded", "error", err)
		return
	}
	log.Info("copy ended: its workflow was terminated", "object", t.object)
}

// hasOutcome reports whether the copy has ended, or redis does not tell. This attempt is then one that
// Temporal gave up, or an operator ended. The entry of a pause tells the next attempt.
func (t *transfer) hasOutcome(ctx context.Context) bool {
	entry, err := t.a.Cache.Get(ctx, t.key)
	return err != nil || entry.State == cache.Error && entry.NextRetry.IsZero() || entry.State == cache.Present
}

// retried tells the front ends how many attempts have failed, and when the next attempt is.
func (t *transfer) retried(ctx context.Context, f Failure) {
	if t.key == "" || t.hasOutcome(ctx) {
		return
	}
	_ = t.renewUntil(ctx, f.Attempts, RetryPauses(t.in.First).until(f.Attempts, f.RetryAfter)) // The next attempt notices a purge.
}

// pause tells the front ends when the next attempt is, so that no client waits for it in vain. A
// failure to do so is no failure of the copy.
func (t *transfer) pause(ctx context.Context, f Failure) {
	if t.hasOutcome(ctx) {
		return
	}
	entry := t.a.Rules.Transient(t.a.Now(), 1, f.reason())
	entry.Deadline, entry.Attempts = t.a.Now().Add(f.RetryAfter), f.Attempts
	if !f.Exhausted {
		entry.NextRetry = entry.Deadline
	}
	if err := t.a.Cache.Put(ctx, t.key, t.in.Generation, entry); err != nil && ctx.Err() == nil {
		activity.GetLogger(ctx).Warn("pause not recorded", "error", err)
	}
}
