package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The watcher treats its connection as dead if it receives nothing for two watchIntervals. It
// reconnects after watchBackoff.
const (
	watchInterval = 500 * time.Millisecond
	watchBackoff  = 100 * time.Millisecond
)

// Watcher wakes waiters when their entry changes. One connection serves any number of waiters. A
// Watcher is safe for concurrent use.
type Watcher struct {
	onChange func(up bool)

	mu      sync.Mutex
	up      bool
	waiting map[string]map[chan struct{}]struct{}
}

// NewWatcher returns a watcher that is down until [Watcher.Run] connects it. It calls onChange when
// it goes up or down. onChange must not be nil, and must not call the watcher.
func NewWatcher(onChange func(up bool)) *Watcher {
	return &Watcher{onChange: onChange, waiting: map[string]map[chan struct{}]struct{}{}}
}

// Wait returns a channel that receives a value when the entry may have changed since the call, and
// a function that ends the wait and must be called. Read the entry after Wait, otherwise a change
// in between is missed.
func (w *Watcher) Wait(key string) (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[key] == nil {
		w.waiting[key] = map[chan struct{}]struct{}{}
	}
	w.waiting[key][ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting[key], ch)
		if len(w.waiting[key]) == 0 {
			delete(w.waiting, key)
		}
	}
}

// Up reports whether the watcher sees changes now. While it does not, waiters must poll.
func (w *Watcher) Up() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.up
}

// Run listens to the redis of r until ctx ends. It wakes all waiters whenever it loses the
// connection or reconnects, because it may have missed changes. When its redis is no longer a
// master, it connects to one within a second.
func (w *Watcher) Run(ctx context.Context, r *Redis) {
	for ctx.Err() == nil {
		w.listen(ctx, r)
		if ctx.Err() != nil {
			return // the error says nothing about redis
		}
		w.set(false)
		pause(ctx, watchBackoff)
	}
}

// listen wakes waiters until the connection fails, or leads to a former master.
func (w *Watcher) listen(ctx context.Context, r *Redis) {
	masters, err := r.nodes.all(ctx)
	if err != nil || len(masters) == 0 {
		return
	}
	// Every node of a cluster sends all messages.
	at, switched := masters[rand.IntN(len(masters))], r.nodes.switches.now() //nolint:gosec // spreads the watchers
	sub := at.client.Subscribe(ctx, r.channel)
	defer sub.Close() //nolint:errcheck // nothing to do about it
	// Close the subscription when ctx ends: receiving ignores ctx.
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })()

	pinged, checked := false, time.Now()
	for {
		msg, err := sub.ReceiveTimeout(ctx, watchInterval)
		if time.Since(checked) >= watchInterval {
			checked = time.Now()
			if !r.nodes.still(ctx, at, switched) {
				return
			}
		}
		var netErr net.Error
		switch {
		case err == nil:
			pinged = false
		case errors.As(err, &netErr) && netErr.Timeout() && !pinged:
			// A hung redis keeps its connections open, so only an answer shows that it is up.
			if pinged = sub.Ping(ctx) == nil; !pinged {
				return
			}
		default:
			return
		}
		switch m := msg.(type) {
		case *redis.Message:
			w.wake(m.Payload)
		case *redis.Subscription:
			w.set(true)
		}
	}
}

func (w *Watcher) wake(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.waiting[key] {
		notify(ch)
	}
}

func (w *Watcher) set(up bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if up == w.up {
		return
	}
	w.up = up
	w.onChange(up)
	for _, waiters := range w.waiting {
		for ch := range waiters {
			notify(ch)
		}
	}
}

// notify never blocks: one pending value is as good as two.
func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
