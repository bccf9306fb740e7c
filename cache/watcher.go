package cache

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Times of the watcher's connection: it is taken for dead if nothing comes for two of the intervals, and tried again
// after the back-off.
const (
	watchInterval = 500 * time.Millisecond
	watchBackoff  = 100 * time.Millisecond
)

// Watcher wakes whoever waits for an entry to change. One connection serves any number of them.
type Watcher struct {
	onChange func(up bool)

	mu      sync.Mutex
	up      bool
	waiting map[string]map[chan struct{}]struct{}
}

// NewWatcher returns a watcher that is down until [Watcher.Run] connects it. onChange is told when it goes up and down.
func NewWatcher(onChange func(up bool)) *Watcher {
	return &Watcher{onChange: onChange, waiting: map[string]map[chan struct{}]struct{}{}}
}

// Wait returns a channel that gets a value when the entry may have changed since Wait was called, and a function that
// must be called to end the wait. Read the entry after calling Wait, or a change in between is missed.
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

// Up tells whether changes are seen now. While it is false a waiter must look for itself.
func (w *Watcher) Up() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.up
}

// Run listens to the redis of r until ctx is over. Whenever the connection is lost or back all waiters are woken, since
// changes may have been missed.
func (w *Watcher) Run(ctx context.Context, r *Redis) {
	for ctx.Err() == nil {
		w.listen(ctx, r)
		if ctx.Err() != nil {
			return // which says nothing of redis
		}
		w.set(false)
		pause(ctx, watchBackoff)
	}
}

// listen wakes waiters until the connection fails.
func (w *Watcher) listen(ctx context.Context, r *Redis) {
	sub := r.client.Subscribe(ctx, channel)
	defer sub.Close() //nolint:errcheck // nothing to do about it
	// Receiving does not end with ctx by itself.
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })()

	pinged := false
	for {
		msg, err := sub.ReceiveTimeout(ctx, watchInterval)
		var netErr net.Error
		switch {
		case err == nil:
			pinged = false
		case errors.As(err, &netErr) && netErr.Timeout() && !pinged:
			// A redis that hangs keeps its connections: only one that answers is up.
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

// notify never blocks: a value that is already there says as much as two.
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
