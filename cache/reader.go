package cache

import (
	"context"
	"fmt"
	"sync"
)

const (
	// maxReads is how many commands read entries at the same time, and maxBatch how many entries one of them reads: enough
	// not to wait for the network's latency, and few enough that a crowd of clients costs few system calls.
	maxReads = 4
	maxBatch = 64
)

// load is a read of redis on behalf of all who want the entry at the moment.
type load struct {
	key   string
	done  chan struct{} // closed when what follows is final
	entry Entry
	err   error
	// stale is set if the entry changed since the read began, or may have: then it must not be kept. Guarded by Layer.mu.
	stale bool
}

// reader reads the entries of many callers by few commands. The zero value with its fields set reads.
type reader struct {
	redis *Redis
	// finish is called for each load when its entry or error is there.
	finish func(*load)

	mu      sync.Mutex
	waiting []*load
	running int
}

// read has the load finished soon. It does not wait for that.
func (r *reader) read(l *load) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, l)
	if r.running < maxReads {
		r.running++
		go r.run()
	}
}

// run reads until nobody waits.
func (r *reader) run() {
	for {
		r.mu.Lock()
		n := min(len(r.waiting), maxBatch)
		if n == 0 {
			r.running--
			r.mu.Unlock()
			return
		}
		batch := r.waiting[:n:n]
		if r.waiting = r.waiting[n:]; len(r.waiting) == 0 {
			r.waiting = nil
		}
		r.mu.Unlock()
		r.readBatch(batch)
	}
}

func (r *reader) readBatch(batch []*load) {
	keys := make([]string, len(batch))
	for i, l := range batch {
		keys[i] = l.key
	}
	// Nobody's leaving ends a read that others may wait for; the client's timeouts do.
	ctx := context.Background()
	values, err := guarded(ctx, r.redis.breaker, func(ctx context.Context) ([]any, error) {
		return r.redis.client.MGet(ctx, keys...).Result()
	})
	if err == nil && len(values) != len(batch) {
		err = fmt.Errorf("%d values for %d keys", len(values), len(batch))
	}
	for i, l := range batch {
		if err != nil {
			l.err = fmt.Errorf("get cache entry: %w", err)
		} else if value, ok := values[i].(string); ok {
			l.entry, l.err = r.redis.read(ctx, l.key, value)
		}
		r.finish(l)
	}
}
