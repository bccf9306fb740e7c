package worker

import (
	"context"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/worker/window"
)

// Entries reads the entries of copies.
type Entries interface {
	// Get returns the entry, which is Absent if redis has none.
	Get(ctx context.Context, key string) (cache.Entry, error)
}

// Changes announces changes of entries; see [cache.Watcher].
type Changes interface {
	// Wait returns a channel that receives a value when the entry may have changed since the call,
	// and a function that ends the wait and must be called.
	Wait(key string) (changed <-chan struct{}, stop func())
}

// Ended waits until the copy of a request that was handled has ended, or for [window.Flight]. It
// returns at once if the request makes no copy. A copy without an entry may not have begun: its
// lease may have expired in the queue. If redis fails, every copy has ended: the window then limits
// nothing.
func (b *Bridge) Ended(ctx context.Context, r queue.Request) {
	if !r.Purges() {
		defer b.window.Leave()
	}
	if r.Action != queue.Put {
		return
	}
	object, err := b.object(r)
	if err != nil || b.bypasses(r, object) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, window.Flight)
	defer cancel()
	key := b.Spaces[r.Pool].Key(object.Hash())
	changed, stop := b.Changes.Wait(key)
	defer stop()
	for leased := false; ; {
		e, err := b.Entries.Get(ctx, key)
		if err != nil || e.State != cache.Pending && (e.State != cache.Absent || leased) {
			return
		}
		leased = e.State == cache.Pending
		select {
		case <-ctx.Done():
			return // Get may ignore that ctx is done.
		case <-changed:
		}
	}
}
