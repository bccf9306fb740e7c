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

	// fresh is until when entries are to be believed, in nanoseconds since began.
	fresh atomic.Int64
	began time.Time

	mu      sync.Mutex
	tracked bool // changes are announced to this process
	loads   map[string]*load
}

// NewNearCache returns a layer over r that holds nothing until [NearCache.Run].
func NewNearCache(r *Redis, o NearCacheOptions) *NearCache {
	l := &NearCache{Redis: r, onChange: o.OnChange, began: time.Now(), loads: map[string]*load{}}
	l.reader.redis, l.reader.finish = r, l.finish
	if l.onChange == nil {
		l.onChange = func(bool, error) {}
	}
	if o.Entries > 0 && o.Bytes > 0 {
		share := uint32(min(o.Bytes/int64(o.Entries), 1<<30)) //nolint:gosec // it is bounded
		l.entries = otter.Must(&otter.Options[string, Entry]{
			MaximumWeight: uint64(o.Bytes),
			// No entry weighs less than its share of all bytes, so that the number of entries is bounded as well.
			Weigher: func(key string, e Entry) uint32 { return max(share, weight(key, e)) },
		})
	}
	return l
}

// overhead of an entry beyond its texts, in bytes: the struct, and the table's nodes.
const overhead = 320

func weight(key string, e Entry) uint32 {
	return uint32(min(overhead+len(key)+len(e.Owner)+len(e.Class)+len(e.Text), 1<<30))
}

// Len is how many entries are held.
func (l *NearCache) Len() int {
	if l.entries == nil {
		return 0
	}
	return l.entries.EstimatedSize()
}

// Remembered returns the entry if it is held and to be believed now. It does no I/O and allocates nothing.
func (l *NearCache) Remembered(key string, now time.Time) (Entry, bool) {
	if l.entries == nil || int64(now.Sub(l.began)) >= l.fresh.Load() {
		return Entry{}, false
	}
	e, ok := l.entries.GetIfPresent(key)
	return e, ok && e.Deadline.After(now)
}

// Get is [Redis.Get], without I/O if the entry is held. Reads of one entry at the same time are one, which may have begun
// before the call.
func (l *NearCache) Get(ctx context.Context, key string) (Entry, error) {
	if e, ok := l.Remembered(key, l.now()); ok {
		return e, nil
	}
	return l.load(ctx, key, true)
}

// Read is [Redis.Get]: what it returns was read after the call. Whoever was woken must not be told what was true before.
func (l *NearCache) Read(ctx context.Context, key string) (Entry, error) {
	return l.load(ctx, key, false)
}

func (l *NearCache) load(ctx context.Context, key string, join bool) (Entry, error) {
	l.mu.Lock()
	at := l.loads[key]
	if at == nil || !join {
		at = &load{key: key, done: make(chan struct{}), stale: !l.tracked}
		if replaced := l.loads[key]; replaced != nil {
			replaced.stale = true // since announcements find only the latest
		}
		l.loads[key] = at
		l.reader.read(at)
	}
	l.mu.Unlock()
	select {
	case <-at.done: // which is as soon as redis answers or its time is up
		return at.entry, at.err
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	}
}

// finish keeps what was read, if it may.
func (l *NearCache) finish(at *load) {
	l.mu.Lock()
	if l.loads[at.key] == at {
		delete(l.loads, at.key)
	}
	if !at.stale && at.err == nil && at.entry.Final() {
		l.entries.Set(at.key, at.entry)
	}
	l.mu.Unlock()
	close(at.done)
}

// Purge is [Redis.Purge]. This process does not wait to hear of it.
func (l *NearCache) Purge(ctx context.Context, key string) (int64, error) {
	generation, err := l.Redis.Purge(ctx, key)
	l.forget(key)
	return generation, err
}

// forget drops what is held, and what is being read.
func (l *NearCache) forget(keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		if at := l.loads[key]; at != nil {
			at.stale = true
			delete(l.loads, key) // whoever comes now must not be told what was true before
		}
		if l.entries != nil {
			l.entries.Invalidate(key)
		}
	}
}

// forgetAll drops everything, and says whether changes are announced from now on.
func (l *NearCache) forgetAll(tracked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tracked = tracked
	l.fresh.Store(0)
	for _, at := range l.loads {
		at.stale = true
	}
	clear(l.loads)
	l.entries.InvalidateAll()
}

// freshSince notes that all changes before t are known.
func (l *NearCache) freshSince(t time.Time) { l.fresh.Store(int64(t.Add(maxStale).Sub(l.began))) }
