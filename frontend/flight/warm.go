package flight

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

var (
	// errStopping ends the pacing of lists.
	errStopping = errors.New("shutting down")
	// errNotYet means that the rate limit of lists makes a request wait.
	errNotYet = errors.New("over the rate limit of lists")
)

// Warm requests a copy that no client is waiting for: paced by WarmRate, and at low priority. Call
// it if the object's entry is absent, or unknown because of redisErr. It returns the object's
// entry. It fails with [ErrNotRequested] if the group is stopping, ctx has ended, the queue failed,
// or the pool's gate is closed for lists. For the gate, the error is a [*LimitError] as well.
//
// It holds no lease while it waits for its turn. A client of the object then requests the copy
// itself, at once and at its own priority.
func (g *Group) Warm(ctx context.Context, t *Target, redisErr error) (cache.Entry, error) {
	if err := g.ending(ctx); err != nil { // Look for nothing that won't be requested.
		return cache.Entry{}, fmt.Errorf("%w: %w", ErrNotRequested, err)
	}
	pass := func() error { return g.admission.gate.pass(t.Pool.ID(), forLists) }
	turn := func() error {
		if err := g.takeTurn(ctx); err != nil {
			return err
		}
		return pass() // A refused line takes a turn as well.
	}
	a := g.ask(ctx, t, redisErr, demand{priority: queue.Low, turn: turn})
	if errors.Is(a.queue, errNotYet) {
		if err := g.waitTurn(ctx); err != nil {
			return cache.Entry{}, fmt.Errorf("%w: %w", ErrNotRequested, err)
		}
		// The copy may have been requested or made meanwhile. After an error of redis, ask without
		// a lease: the reply to Acquire may have been lost, and the lease would then be our own.
		a = g.ask(ctx, t, a.redis, demand{priority: queue.Low, turn: pass})
	}
	if a.queue != nil {
		return cache.Entry{}, a.queue
	}
	if a.entry.State == cache.Absent {
		return cache.Entry{State: cache.Pending, Total: -1}, nil // Redis is down: the message is all there is.
	}
	return a.entry, nil
}

// ending returns why nothing is requested any more: ctx has ended, or the group is stopping.
func (g *Group) ending(ctx context.Context) error {
	if g.Stopping() {
		return errStopping
	}
	return ctx.Err()
}

// takeTurn takes a turn of the rate limit of lists if there is one now.
func (g *Group) takeTurn(ctx context.Context) error {
	if err := g.ending(ctx); err != nil {
		return err
	}
	if !g.pace.Allow() {
		return errNotYet
	}
	return nil
}

// waitTurn waits for a turn of the rate limit of lists and takes it.
func (g *Group) waitTurn(ctx context.Context) error {
	turn := g.pace.Reserve()
	timer := time.NewTimer(turn.Delay())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return ctx.Err()
	case <-g.stopping:
		turn.Cancel()
		return errStopping
	}
}
