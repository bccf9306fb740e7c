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
)

const (
	// beat is how often a running copy heartbeats, and so how soon it learns of its cancellation.
	beat = time.Second
	// news is how often a running copy renews its lease with its progress, for clients that ask for
	// the status. The lease itself only needs a renewal every third of its time.
	news = 2 * time.Second
	// quietBeats is how many heartbeats a copy leaves out until it has an upload to report: the SDK
	// sends an attempt's first heartbeat at once, and throttles the next ones.
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
	job *copier.Job
	// last is the progress of earlier attempts.
	last  Progress
	state atomic.Pointer[copier.State]
}

func newTransfer(ctx context.Context, a *Activities, in StreamCopyInput) *transfer {
	t := &transfer{a: a, in: in, last: Progress{Resume: in.Resume}}
	var last Progress
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &last) == nil {
		t.last = last
	}
	return t
}

// checkpoint heartbeats with the state. The SDK sends the first heartbeat of an attempt at once.
func (t *transfer) checkpoint(ctx context.Context, s copier.State) {
	t.state.Store(&s)
	activity.RecordHeartbeat(ctx, t.progress())
}

// watch returns a context for the copy, and a function that ends the watch. The context's cause is
// a stall, a purge or a handover if that is why it was cancelled.
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
		if t.state.Load() != nil || beats > quietBeats || copier.IsSmall(t.in.Meta) {
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
	v, r := judge(now, snapshotOf(&t.job.Counters), r, l)
	switch v {
	case sourceStalled:
		return r, t.stalled(copier.ErrStalled, now.Sub(r.MovedAt))
	case bucketStalled:
		return r, t.stalled(errBucketStalled, now.Sub(r.MovedAt))
	case renewLease:
		err := t.renew(ctx, now)
		if v, r = judgeRenewal(now, err != nil, r, l); v == copyPurged {
			return r, err
		}
	default:
	}
	return r, nil
}

func (t *transfer) limits() limits {
	third := t.a.Rules.Lease / 3
	return limits{Stall: bucketPatience * t.a.Copier.StallTimeout, Renew: min(news, third), Grace: third}
}

// stalled returns the error of a copy that moved no byte for a time.
func (t *transfer) stalled(cause error, since time.Duration) error {
	stored := strconv.FormatInt(t.job.Counters.Stored.Load(), 10)
	if t.in.Meta.Size >= 0 {
		stored += fmt.Sprintf(" of %d", t.in.Meta.Size)
	}
	return fmt.Errorf("%w: no byte moved for %s, after %s bytes", cause, since.Round(time.Second), stored)
}

// renew renews the lease. It fails only with [cache.ErrPurged]: a copy continues while redis is
// down.
func (t *transfer) renew(ctx context.Context, now time.Time) error {
	entry := t.a.Rules.Pending(now, owner(ctx), t.job.Counters.Stored.Load(), t.in.Meta.Size)
	err := t.a.Cache.Put(ctx, t.key, t.in.Generation, entry)
	if errors.Is(err, cache.ErrPurged) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		activity.GetLogger(ctx).Warn("lease not renewed", "error", err)
	}
	return nil
}
