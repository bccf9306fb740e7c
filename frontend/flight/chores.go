package flight

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

const (
	// choreRate limits the chores of one queue, per second and process: 12,000 objects in ten
	// minutes. AWS allows 5,500 HEADs per second and prefix:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
	choreRate = 20
	// choreWorkers is the number of concurrent chores of one queue: enough for choreRate if a chore
	// takes 100 ms.
	choreWorkers = 2
	// choreQueue is the number of chores that wait for a worker: 13 s at choreRate.
	choreQueue = 256
)

// chores is work that hits cause and no client waits for. It waits in a bounded queue. A T
// describes one chore.
type chores[T any] struct {
	queue   chan T
	pace    *rate.Limiter
	started time.Time // Due times count from here.
}

func newChores[T any](started time.Time) chores[T] {
	return chores[T]{queue: make(chan T, choreQueue), pace: rate.NewLimiter(choreRate, 1), started: started}
}

// start starts the workers, which end with the group. Stop doesn't interrupt do: all its calls need
// timeouts.
func (c *chores[T]) start(g *Group, do func(context.Context, T)) {
	for range choreWorkers {
		g.running.Go(func() {
			for !g.Stopping() {
				select {
				case next := <-c.queue:
					do(context.Background(), next)
				case <-g.stopping:
				}
			}
		})
	}
}

// offer queues a chore once it is due, and makes it due again after every. If the queue is full,
// the chore stays due. offer never blocks and allocates nothing.
func (c *chores[T]) offer(due *atomic.Int64, now time.Time, every time.Duration, chore T) {
	since, last := now.Sub(c.started), due.Load()
	if int64(since) < last || !due.CompareAndSwap(last, int64(since+every)) {
		return
	}
	select {
	case c.queue <- chore:
	default:
		due.Store(last)
	}
}

// postpone makes a chore due in left, when another front end's claim ends.
func (c *chores[T]) postpone(due *atomic.Int64, now time.Time, left time.Duration) {
	due.Store(int64(now.Sub(c.started) + left))
}

// Served is called when a client is redirected to the target's copy, because of the present entry
// e. If the copy is due, a HEAD in the background verifies that the bucket still has it. Some
// copies are audited, and those that the bucket deletes soon are refreshed: see maintenance. Served
// does no I/O, never blocks and allocates nothing.
func (g *Group) Served(lead Lead, e cache.Entry, now time.Time) {
	kind, due := lead.Chores()
	if v := kind.Pool.verifier; v != nil && !v.fresh(e, now) {
		v.offer(&due.verification, now, v.every, lead)
	}
	if g.maintenance != nil {
		g.maintenance.served(lead, e, now)
	}
}
