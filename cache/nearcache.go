package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// NearCacheOptions configures a [NearCache].
type NearCacheOptions struct {
	// Entries and Bytes are the limits of what it holds. Bytes is compared with an estimate. If
	// either is 0, it holds nothing.
	Entries int
	Bytes   int64
	// OnChange, if set, is called with up when redis starts sending invalidations. It is called
	// without up when redis stops, or can't start, and err is the reason.
	OnChange func(up bool, err error)
}

// NearCache is a [Redis] that keeps the entries that front ends redirect by in this process. Redis
// keeps it coherent: it sends an invalidation for every change (CLIENT TRACKING, see track). An
// entry is served from memory only
//   - before its own deadline. Redis invalidates an expired key only when it deletes the key,
//     which may be much later.
//   - within maxStale of a time up to which this process knows all changes. This holds even if the
//     connection or the process hangs.
//
// While redis sends no invalidations, or does not support them, every read goes to redis. A
// NearCache is safe for concurrent use.
type NearCache struct {
	*Redis
	onChange func(up bool, err error)
	// entries is nil if the cache holds nothing. forgetAll replaces the table.
	entries  atomic.Pointer[otter.Cache[string, keptEntry]]
	newTable func() *otter.Cache[string, keptEntry]
	reader   reader

	// freshUntil is the end of the time in which entries are served, in nanoseconds since started.
	freshUntil atomic.Int64
	started    time.Time

	mu       sync.Mutex
	tracked  bool                // every master sends invalidations to this process
	trackers map[string]*tracker // by the master's address
	loads    map[string]*load

	reporting            sync.Mutex
	reported, reportedUp bool // what onChange was called with; reporting guards both
}

// NewNearCache returns a near cache of r that holds nothing until [NearCache.Run].
func NewNearCache(r *Redis, o NearCacheOptions) *NearCache {
	n := &NearCache{Redis: r, onChange: o.OnChange, started: time.Now(), loads: map[string]*load{}}
	n.reader = reader{redis: r, finish: n.finish, sending: n.sending, unknown: n.unknown}
	if n.onChange == nil {
		n.onChange = func(bool, error) {}
	}
	if o.Entries > 0 && o.Bytes > 0 {
		share := uint32(min(o.Bytes/int64(o.Entries), 1<<30)) //nolint:gosec // it is bounded
		n.newTable = func() *otter.Cache[string, keptEntry] {
			return otter.Must(&otter.Options[string, keptEntry]{
				MaximumWeight: uint64(o.Bytes), //nolint:gosec // it is positive
				// An entry weighs at least its share of Bytes, which limits the number of entries too.
				Weigher: func(key string, k keptEntry) uint32 { return max(share, weight(key, k)) },
			})
		}
		n.entries.Store(n.newTable())
	}
	return n
}

// Len returns the approximate number of entries in memory.
func (n *NearCache) Len() int {
	if n.newTable == nil {
		return 0
	}
	return n.entries.Load().EstimatedSize()
}

// Remembered returns the entry if it is in memory and fresh at now. It does no I/O and allocates
// nothing.
func (n *NearCache) Remembered(key string, now time.Time) (Entry, bool) {
	if n.newTable == nil || int64(now.Sub(n.started)) >= n.freshUntil.Load() {
		return Entry{}, false
	}
	// The table comes after freshUntil: see forgetAll.
	kept, ok := n.entries.Load().GetIfPresent(key)
	if !ok {
		return Entry{}, false
	}
	e := kept.entry()
	return e, e.Deadline.After(now)
}

// Get returns the entry from memory if it is held and fresh, and from redis otherwise. Concurrent
// misses share one read, which may have started before this call; see [NearCache.Read]. Errors are
// those of [Redis.Get], or of ctx.
func (n *NearCache) Get(ctx context.Context, key string) (Entry, error) {
	if e, ok := n.Remembered(key, n.now()); ok {
		return e, nil
	}
	return n.load(ctx, key, true)
}

// Read always reads redis, and starts after the call. A waiter that was woken needs that: an
// earlier read could return the entry from before the change. Errors are those of [Redis.Get], or
// of ctx.
func (n *NearCache) Read(ctx context.Context, key string) (Entry, error) {
	return n.load(ctx, key, false)
}

func (n *NearCache) load(ctx context.Context, key string, join bool) (Entry, error) {
	n.mu.Lock()
	at := n.loads[key]
	if at == nil || !join {
		at = &load{key: key, done: make(chan struct{}), stale: !n.tracked}
		if replaced := n.loads[key]; replaced != nil {
			replaced.stale = true // invalidations find only the latest load
		}
		n.loads[key] = at
		n.reader.read(at)
	}
	n.mu.Unlock()
	select {
	case <-at.done: // closed when redis answers or its timeout expires
		return at.entry, at.err
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	}
}

// finish publishes a load to its waiters. It keeps a final entry unless the entry may have changed
// since the read started.
func (n *NearCache) finish(at *load) {
	n.mu.Lock()
	if n.loads[at.key] == at {
		delete(n.loads, at.key)
	}
	if !at.stale && at.err == nil && at.entry.Final() {
		n.entries.Load().Set(at.key, keep(at.entry))
	}
	n.mu.Unlock()
	close(at.done)
}

// Purge is [Redis.Purge]. It also drops the entry from memory, without waiting for redis's
// invalidation.
func (n *NearCache) Purge(ctx context.Context, key string) (int64, error) {
	generation, err := n.Redis.Purge(ctx, key)
	n.forget(key)
	return generation, err
}

// Drop is [Redis.Drop]. It also drops the entry from memory, without waiting for redis's
// invalidation.
func (n *NearCache) Drop(ctx context.Context, key string, e Entry) (bool, error) {
	dropped, err := n.Redis.Drop(ctx, key, e)
	n.forget(key)
	return dropped, err
}

// forget drops entries from memory and keeps running reads of them from storing theirs.
func (n *NearCache) forget(keys ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, key := range keys {
		if at := n.loads[key]; at != nil {
			at.stale = true
			delete(n.loads, key) // later callers must not join a read that predates the invalidation
		}
		if n.newTable != nil {
			n.entries.Load().Invalidate(key)
		}
	}
}

// forgetAll does what forget does to every entry.
func (n *NearCache) forgetAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forgetAllLocked(n.tracked)
}

// forgetAllLocked is forgetAll. Tracked says whether every master sends invalidations from now on.
// n.mu is held.
func (n *NearCache) forgetAllLocked(tracked bool) {
	n.tracked = tracked
	n.freshUntil.Store(0)
	for _, at := range n.loads {
		at.stale = true
	}
	clear(n.loads)
	// A new table, since hits read redis meanwhile and wait for the mutex: invalidating all
	// entries takes long. It comes after freshUntil, so that no reader has the former table and a
	// later freshness.
	n.entries.Store(n.newTable())
}

// freshSince records that this process knows every change from before t.
func (n *NearCache) freshSince(t time.Time) {
	n.freshUntil.Store(int64(t.Add(maxStale).Sub(n.started)))
}
