package flight

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// ErrNotRequested is returned when a copy could not be requested. A later try may succeed.
var ErrNotRequested = errors.New("copy not requested")

// demand says how a copy is requested.
type demand struct {
	// digest is the SHA-256 that the client expects, in hex. The worker then computes the copy's.
	digest   string
	priority queue.Priority
	// turn takes a turn to send, without waiting for it. On an error the message is not sent. Nil
	// always sends.
	turn func() error
	// sent is set if an earlier demand of the same flight sent the message. It counts only without
	// a lease: a new lease always needs a new message.
	sent bool
}

// answer is the result of [Group.ask].
type answer struct {
	// entry is the object's entry now; Absent if redis is down and the bucket has no copy.
	entry cache.Entry
	// redis is redis's error.
	redis error
	// sent is set if the message was sent. A message that could not be sent is [ErrNotRequested].
	sent  bool
	queue error
}

// ask requests the copy of an object whose entry is absent for the target's minimum size (see
// [cache.Entry.For]), or unknown because of redisErr. The lease holder HEADs the bucket on behalf
// of all front ends, then sends the message, or else releases the lease so that the next request
// can retry at once.
//
// It ignores the cancellation of ctx: a client that leaves between Acquire and Send must not leave
// a lease without a message. It never waits while it holds a lease, except for its dependencies.
func (g *Group) ask(ctx context.Context, t *Target, redisErr error, d demand) answer {
	ctx = context.WithoutCancel(ctx)
	var lease cache.Entry
	leased := false
	if redisErr == nil {
		mine := g.rules.Pending(g.now(), g.owner, 0, -1)
		mine.Low = d.priority == queue.Low
		lease, leased, redisErr = g.acquire(ctx, t, mine)
		if redisErr == nil && !leased {
			return answer{entry: lease}
		}
	}
	if entry, err := g.Backfill(ctx, t, redisErr == nil || cache.Replied(redisErr)); err == nil {
		return answer{entry: entry, redis: redisErr}
	}
	a := answer{redis: redisErr}
	if leased {
		a.entry = lease
	} else if d.sent {
		return a
	}
	a.queue = g.send(ctx, t, d)
	a.sent = a.queue == nil
	if leased && !a.sent {
		g.release(ctx, t, lease)
	}
	return a
}

// acquireTries bounds the tries of acquire. Each dropped entry needs another try.
const acquireTries = 3

// acquire takes the object's lease, as [Cache].Acquire does. It first drops an entry that is absent
// for the target's minimum size. It drops no other entry: a worker may have changed it since.
func (g *Group) acquire(ctx context.Context, t *Target, mine cache.Entry) (e cache.Entry, leased bool, err error) {
	for range acquireTries {
		e, leased, err = g.cache.Acquire(ctx, t.Key, mine)
		if err != nil || leased || e.For(t.MinSize).State != cache.Absent {
			return e, leased, err
		}
		if _, err = g.cache.Drop(ctx, t.Key, e); err != nil {
			return e, false, err
		}
	}
	return cache.Entry{}, false, nil // The flight looks again.
}

// send sends the message if it is the demand's turn. Its errors are [ErrNotRequested].
func (g *Group) send(ctx context.Context, t *Target, d demand) error {
	if d.turn != nil {
		if err := d.turn(); err != nil {
			return fmt.Errorf("%w: %w", ErrNotRequested, err)
		}
	}
	err := g.queue.Send(ctx, queue.Request{
		Pool: t.Pool.ID(), URL: t.Object.URL, Action: queue.Put, SHA256: d.digest, MinSize: t.MinSize, Priority: d.priority,
	})
	if err != nil {
		g.about(ctx, t, g.log.Warn()).Err(err).Msg("copy request not sent")
		return fmt.Errorf("%w: %w", ErrNotRequested, err)
	}
	g.about(ctx, t, g.log.Info()).Bool("low", d.priority == queue.Low).Msg("copy requested")
	return nil
}

// about adds the copy and the request to a log line.
func (g *Group) about(ctx context.Context, t *Target, e *zerolog.Event) *zerolog.Event {
	if !e.Enabled() {
		return e
	}
	return requestid.Log(ctx, e).Str("pool", t.Pool.ID()).Str("object", t.Object.Key())
}

// raise requests a waiting low-priority copy again, now for a client, and returns whether it did.
// The first client of all front ends does so: it takes the mark off the entry. If raise fails, the
// copy may stay behind others, but it is still made. An error is therefore only logged.
func (g *Group) raise(ctx context.Context, t *Target, low cache.Entry, d demand) bool {
	raised := low
	raised.Low = false
	swapped, err := g.cache.Swap(ctx, t.Key, low, raised)
	if err == nil && swapped {
		if g.send(ctx, t, d) == nil {
			return true
		}
		_, err = g.cache.Swap(ctx, t.Key, raised, low) // A later try raises it.
	}
	if err != nil {
		g.about(ctx, t, g.log.Warn()).Err(err).Msg("priority of a copy not raised")
	}
	return false
}

func (g *Group) release(ctx context.Context, t *Target, lease cache.Entry) {
	if err := g.cache.Release(ctx, t.Key, lease); err != nil {
		g.about(ctx, t, g.log.Warn()).Err(err).Msg("lease not released; it will expire")
	}
}

// Backfill HEADs the bucket for a copy that redis has lost and restores its entry. It fails with
// [storage.ErrNotFound] if there is no copy that clients may use, or with the bucket's error.
//
// While redis is down, purges are unknown too. Then Backfill accepts any copy, and restores no
// entry. A redis that refuses writes still reports purges.
func (g *Group) Backfill(ctx context.Context, t *Target, redisUp bool) (cache.Entry, error) {
	stored, err := t.Pool.Bucket.Head(ctx, t.Object.Key())
	if err != nil {
		if !errors.Is(err, storage.ErrNotFound) {
			g.about(ctx, t, g.log.Warn()).Err(err).Msg("bucket HEAD failed")
		}
		return cache.Entry{}, err
	}
	entry := g.rules.Present(g.now(), cache.Copy{Expires: stored.Expires, SHA256: stored.SHA256, Size: stored.Size})
	if entry.State != cache.Present {
		return cache.Entry{}, storage.ErrNotFound
	}
	// Put rejects a copy that was started before a purge.
	if redisUp && errors.Is(g.cache.Put(ctx, t.Key, stored.Generation, entry), cache.ErrPurged) {
		return cache.Entry{}, storage.ErrNotFound
	}
	g.metrics.backfills.WithLabelValues(t.Pool.ID()).Inc()
	g.metrics.found.WithLabelValues(t.Pool.ID()).Add(float64(stored.Size))
	return entry, nil
}
