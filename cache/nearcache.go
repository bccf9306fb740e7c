package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// NearCacheOptions bound a [NearCache].
type NearCacheOptions struct {
	// Entries and Bytes are the most that it holds, the latter estimated. If either is 0 it holds nothing.
	Entries int
	Bytes   int64
	// OnChange is told when redis begins and ceases to announce changes, and in err why it does not; nil is told nothing.
	OnChange func(up bool, err error)
}

// NearCache is redis, with the entries that front ends redirect by kept in this process. Redis itself keeps it coherent: it
// announces every change (CLIENT TRACKING, see track). An entry is served from here only
//   - before its own deadline, since redis announces an expiry when it deletes the key, which may be much later, and
//   - within maxStale of a moment up to which all changes are known, whatever becomes of the connection or the process.
//
// While redis does not announce changes, or can't, every read goes to redis. It is safe for concurrent use.
type NearCache struct {
	*Redis
	onChange func(up bool, err error)
	entries  *otter.Cache[string, Entry] // nil if it holds nothing
	reader   reader

	// freshUntil is until when entries are to be believed, in nanoseconds since started.
	freshUntil atomic.Int64
	started    time.Time

	mu      sync.Mutex
	tracked bool // changes are announced to this process
	loads   map[string]*load
}

// NewNearCache returns a layer over r that holds nothing until [NearCache.Run].
func NewNearCache(r *Redis, o NearCacheOptions) *NearCache {
	n := &NearCache{Redis: r, onChange: o.OnChange, started: time.Now(), loads: map[string]*load{}}
	n.reader.redis, n.reader.finish = r, n.finish
	if n.onChange == nil {
		n.onChange = func(bool, error) {}
	}
	if o.Entries > 0 && o.Bytes > 0 {
		share := uint32(min(o.Bytes/int64(o.Entries), 1<<30)) //nolint:gosec // it is bounded
		n.entries = otter.Must(&otter.Options[string, Entry]{
			MaximumWeight: uint64(o.Bytes),
			// No entry weighs less than its share of all bytes, so that the number of entries is bounded as well.
			Weigher: func(key string, e Entry) uint32 { return max(share, weight(key, e)) },
		})
	}
	return n
}

// overhead of an entry beyond its texts, in bytes: the struct, and the table's nodes.
const overhead = 320

func weight(key string, e Entry) uint32 {
	return uint32(min(overhead+len(key)+len(e.Owner)+len(e.Class)+len(e.Text), 1<<30))
}

// Len is how many entries are held.
func (n *NearCache) Len() int {
	if n.entries == nil {
		return 0
	}
	return n.entries.EstimatedSize()
}

// Remembered returns the entry if it is held and to be believed now. It does no I/O and allocates nothing.
func (n *NearCache) Remembered(key string, now time.Time) (Entry, bool) {
	if n.entries == nil || int64(now.Sub(n.started)) >= n.freshUntil.Load() {
		return Entry{}, false
	}
	e, ok := n.entries.GetIfPresent(key)
	return e, ok && e.Deadline.After(now)
}

// Get is [Redis.Get], without I/O if the entry is held. Reads of one entry at the same time are one, which may have begun
// before the call.
func (n *NearCache) Get(ctx context.Context, key string) (Entry, error) {
	if e, ok := n.Remembered(key, n.now()); ok {
		return e, nil
	}
	return n.load(ctx, key, true)
}

// Read is [Redis.Get]: what it returns was read after the call. Whoever was woken must not be told what was true before.
func (n *NearCache) Read(ctx context.Context, key string) (Entry, error) {
	return n.load(ctx, key, false)
}

func (n *NearCache) load(ctx context.Context, key string, join bool) (Entry, error) {
	n.mu.Lock()
	at := n.loads[key]
	if at == nil || !join {
		at = &load{key: key, done: make(chan struct{}), stale: !n.tracked}
		if replaced := n.loads[key]; replaced != nil {
			replaced.stale = true // since announcements find only the latest
		}
		n.loads[key] = at
		n.reader.read(at)
	}
	n.mu.Unlock()
	select {
	case <-at.done: // which is as soon as redis answers or its time is up
		return at.entry, at.err
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	}
}

// finish keeps what was read, if it may.
func (n *NearCache) finish(at *load) {
	n.mu.Lock()
	if n.loads[at.key] == at {
		delete(n.loads, at.key)
	}
	if !at.stale && at.err == nil && at.entry.Final() {
		n.entries.Set(at.key, at.entry)
	}
	n.mu.Unlock()
	close(at.done)
}

// Purge is [Redis.Purge]. This process does not wait to hear of it.
func (n *NearCache) Purge(ctx context.Context, key string) (int64, error) {
	generation, err := n.Redis.Purge(ctx, key)
	n.forget(key)
	return generation, err
}

// forget drops what is held, and what is being read.
func (n *NearCache) forget(keys ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, key := range keys {
		if at := n.loads[key]; at != nil {
			at.stale = true
			delete(n.loads, key) // whoever comes now must not be told what was true before
		}
		if n.entries != nil {
			n.entries.Invalidate(key)
		}
	}
}

// forgetAll drops everything, and says whether changes are announced from now on.
func (n *NearCache) forgetAll(tracked bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tracked = tracked
	n.freshUntil.Store(0)
	for _, at := range n.loads {
		at.stale = true
	}
	clear(n.loads)
	n.entries.InvalidateAll()
}

// freshSince notes that all changes before t are known.
func (n *NearCache) freshSince(t time.Time) {
	n.freshUntil.Store(int64(t.Add(maxStale).Sub(n.started)))
}
