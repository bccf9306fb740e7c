package activities

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
)

const (
	// beat is how often a running copy heartbeats, and so how soon it learns that it was cancelled.
	beat = time.Second
	// news is how often those who ask for the status hear of progress; for the lease a third of its time would do.
	news = 2 * time.Second
	// quietBeats is how many beats are left out for a copy that has not noted its upload yet: an attempt's first heartbeat
	// is sent at once, the next ones wait for their turn.
	quietBeats = 5
	// bucketPatience is how many times as long as a source a bucket may take nothing: a part shows no progress before all
	// of it is stored.
	bucketPatience = 10
)

// transfer is one running copy, as seen by those who wait for it: it heartbeats, renews the lease while there is
// progress, and ends a copy that stalls or was purged.
type transfer struct {
	a   *Activities
	in  StreamCopyInput
	key string
	job *copier.Job
	// last is how far earlier attempts came.
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

// checkpoint sends a heartbeat, the first one of an attempt at once.
func (t *transfer) checkpoint(ctx context.Context, s copier.State) {
	t.state.Store(&s)
	activity.RecordHeartbeat(ctx, t.progress())
}

// watch returns the context of the copy. Its cause tells a stall and a purge from a cancellation.
func (t *transfer) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(t.run(ctx))
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// run judges the copy at every beat, until its context ends or the verdict ends it.
func (t *transfer) run(ctx context.Context) error {
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
			activity.RecordHeartbeat(ctx, t.progress())
		}
		var err error
		if r, err = t.check(ctx, r); err != nil {
			return err
		}
	}
}

// check acts on the judgement of the copy. Its error ends the copy.
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

func (t *transfer) stalled(cause error, since time.Duration) error {
	return fmt.Errorf("%w: for %s, after %d of %d bytes",
		cause, since.Round(time.Second), t.job.Counters.Stored.Load(), t.in.Meta.Size)
}

// renew fails only with [cache.ErrPurged]: redis being down is no reason to stop a copy.
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
