package flight

import (
	"context"
	"errors"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// errStopping ends the pacing of lists.
var errStopping = errors.New("shutting down")

// Warm requests a copy that no client is waiting for: paced by WarmRate, and at low priority. Call it
// if the object's entry is absent, or unknown because of redisErr. It returns the object's entry, or
// [ErrNotRequested] if the group is stopping, ctx has ended, or the queue failed.
func (g *Group) Warm(ctx context.Context, t *Target, redisErr error) (cache.Entry, error) {
	a := g.ask(ctx, t, redisErr, demand{priority: queue.Low, pace: g.waitTurn})
	if a.queue != nil {
		return cache.Entry{}, a.queue
	}
	if a.entry.State == cache.Absent {
		return cache.Entry{State: cache.Pending, Total: -1}, nil // Redis is down: the message is all there is.
	}
	return a.entry, nil
}

// waitTurn waits for the rate limit of lists. It gives up after half a lease: clients that meet the
// lease meanwhile wait for a message that was not sent yet.
func (g *Group) waitTurn(ctx context.Context) error {
	if g.Stopping() {
		return errStopping
	}
	ctx, cancel := context.WithTimeout(ctx, max(g.rules.Lease/2, time.Second))
	defer cancel()
	return g.pace.Wait(ctx)
}
