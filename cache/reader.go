package cache

import (
	"context"
	"fmt"
	"sync"
)

const (
	// maxReads is the limit of concurrent pipelines of reads, maxBatch the limit of entries in one.
	// They are high enough to hide the network's latency, and low enough that a crowd of clients
	// costs few system calls.
	maxReads = 4
	maxBatch = 64
)

// load is one read of redis, shared by all callers that want the entry at the moment.
type load struct {
	key   string
	done  chan struct{} // closed when entry and err are final
	entry Entry
	err   error
	// stale is set if the entry changed since the read started, or may have changed. It must not be
	// kept then. NearCache.mu guards it.
	stale bool
}

// reader reads the entries of many callers with few commands. The zero value is ready once redis
// and the functions are set.
type reader struct {
	redis *Redis
	// finish is called for each load, after its entry or error is set.
	finish func(*load)
	// sending is called before loads are read from a node. unknown is called after a load was read
	// from another node than the expected one.
	sending func(at *node, loads []*load)
	unknown func(*load)

	mu      sync.Mutex
	waiting []*load
	running int
}

// read queues the load and returns at once.
func (r *reader) read(l *load) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, l)
	if r.running < maxReads {
		r.running++
		go r.run()
	}
}

// run reads until no load is waiting.
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

// readBatch reads loads with one pipeline for each node. A node that hangs delays only its own
// loads.
func (r *reader) readBatch(batch []*load) {
	// The read is shared, so no caller's cancellation may end it. The redis client's timeouts bound
	// it.
	ctx := context.Background()
	if only := r.redis.nodes.only; only != nil {
		r.readNode(ctx, only, batch)
		return
	}
	of := map[*node][]*load{}
	for _, l := range batch {
		at, err := r.redis.nodes.of(ctx, l.key)
		if err != nil {
			l.err = fmt.Errorf("get cache entry: %w", err)
			r.finish(l)
			continue
		}
		of[at] = append(of[at], l)
	}
	var all sync.WaitGroup
	for at, loads := range of {
		all.Go(func() { r.readNode(ctx, at, loads) })
	}
	all.Wait()
}

func (r *reader) readNode(ctx context.Context, at *node, loads []*load) {
	r.sending(at, loads)
	keys := make([]string, len(loads))
	for i, l := range loads {
		keys[i] = l.key
	}
	values, err := r.redis.valuesAt(ctx, at, keys, maxValue)
	for i, l := range loads {
		if err != nil {
			l.err = fmt.Errorf("get cache entry: %w", err)
		} else {
			if values[i].redirected {
				r.unknown(l)
			}
			l.entry, l.err = r.redis.entry(ctx, l.key, values[i])
		}
		r.finish(l)
	}
}
