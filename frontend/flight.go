package frontend

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Times of a flight's own I/O.
const (
	// firstPoll and maxPoll space the looks at the bucket while redis can't wake anybody.
	firstPoll = 100 * time.Millisecond
	maxPoll   = 2 * time.Second
)

// flight waits for one object on behalf of all its clients in this process. It looks at the entry, asks for the copy if
// nobody has, and waits to be woken, until there is a final answer or nobody waits for one.
type flight struct {
	*target
	s      *Server
	digest string // what the first client expects; those that join are not asked

	cancel  context.CancelFunc
	clients int // guarded by flights.mu

	// asked is closed when the copy is known to be asked for, or can't be. No client is answered before.
	asked     chan struct{}
	askedOnce sync.Once
	// done is closed when what follows is final.
	done      chan struct{}
	entry     cache.Entry
	queueDown bool // the copy could not be asked for
	waited    bool // the entry was not there at the first look

	enqueued bool // the last message was sent; only run's own
}

// flights are those under way, by cache key.
type flights struct {
	mu      sync.Mutex
	all     map[string]*flight
	clients int // of all flights
}

// join adds a client to its object's flight, which is started if there is none. leave must be called once. It is not ok if
// as many clients wait as may.
func (s *Server) join(c *client) (f *flight, leave func(), ok bool) {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	f = s.flights.all[c.key]
	if s.flights.clients >= s.maxWaiters || f != nil && f.clients >= s.maxWaitersPerObject {
		return nil, nil, false
	}
	if f == nil {
		// A flight belongs to no single client: the first one going away must not disturb the others.
		ctx, cancel := context.WithCancel(context.Background())
		f = &flight{
			s: s, target: c.target, digest: c.digest, cancel: cancel,
			asked: make(chan struct{}), done: make(chan struct{}),
		}
		s.flights.all[c.key] = f
		s.running.Go(func() { f.run(ctx) })
	}
	f.clients++
	s.flights.clients++
	return f, f.leave, true
}

func (f *flight) leave() {
	f.s.flights.mu.Lock()
	defer f.s.flights.mu.Unlock()
	f.s.flights.clients--
	if f.clients--; f.clients == 0 {
		f.cancel()
		f.remove()
	}
}

// remove is called with flights.mu held; a newer flight of the object stays.
func (f *flight) remove() {
	if f.s.flights.all[f.key] == f {
		delete(f.s.flights.all, f.key)
	}
}

func (f *flight) run(ctx context.Context) {
	changed, stop := f.s.watcher.Wait(f.key)
	defer stop()
	poll := firstPoll
	for {
		entry, cacheErr := f.look(ctx)
		if entry.Final() || f.queueDown {
			f.finish(entry)
			return
		}
		f.askedOnce.Do(func() { close(f.asked) })
		f.waited = true

		// While redis is up it says when to look again: by waking, or by the deadline of what stands there.
		wait := time.Until(entry.Deadline)
		if cacheErr != nil || !f.s.watcher.Up() {
			wait, poll = poll, min(2*poll, maxPoll)
		}
		timer := time.NewTimer(max(wait, firstPoll))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			f.finish(entry)
			return
		}
	}
}

func (f *flight) finish(entry cache.Entry) {
	f.s.flights.mu.Lock()
	f.remove()
	f.s.flights.mu.Unlock()
	f.entry = entry
	f.askedOnce.Do(func() { close(f.asked) })
	close(f.done)
}

// look finds out where the object stands and, if it stands nowhere, asks for its copy. What it does outlives the clients,
// or a client that leaves at the wrong moment would leave a lease without a message. The error is the cache's.
func (f *flight) look(ctx context.Context) (cache.Entry, error) {
	ctx = context.WithoutCancel(ctx)
	entry, cacheErr := f.s.cache.Read(ctx, f.key)
	if cacheErr == nil && entry.State != cache.Absent {
		return entry, nil
	}
	// The lease comes first: whoever has it looks into the bucket for all front ends.
	var lease cache.Entry
	var mine bool
	if cacheErr == nil {
		lease, mine, cacheErr = f.s.cache.Acquire(ctx, f.key, f.s.name, f.s.rules.Lease)
		if cacheErr == nil && !mine {
			return lease, nil
		}
	}
	if entry, ok := f.s.backfill(ctx, f.target, cacheErr == nil); ok {
		return entry, cacheErr
	}
	if !mine {
		// Without redis there are no leases. One message a flight is enough: Temporal starts one workflow for it.
		if !f.enqueued {
			f.enqueue(ctx)
		}
		return cache.Entry{}, cacheErr
	}
	if !f.enqueue(ctx) {
		// No pending is left behind: the next request tries again.
		f.s.release(ctx, f.target, lease)
	}
	return lease, nil
}

// enqueue asks for the copy and tells whether it could.
func (f *flight) enqueue(ctx context.Context) bool {
	put := queue.Request{Pool: f.pool.ID(), URL: f.object.URL, Action: queue.Put, SHA256: f.digest}
	err := f.s.queue.Send(ctx, put)
	if err != nil {
		f.s.log.Warn().Err(err).Str("pool", f.pool.ID()).Msg("copy not asked for")
	}
	f.enqueued, f.queueDown = err == nil, err != nil
	return err == nil
}

// release gives up a lease for which no copy was asked.
func (s *Server) release(ctx context.Context, t *target, lease cache.Entry) {
	if err := s.cache.Release(ctx, t.key, lease); err != nil {
		s.log.Warn().Err(err).Str("pool", t.pool.ID()).Msg("lease not released, it lapses by itself")
	}
}

// backfill looks into the bucket for what redis does not know, and tells redis if it is up. If it is not, a purge can't be
// known either: then any copy will do.
func (s *Server) backfill(ctx context.Context, t *target, redisUp bool) (cache.Entry, bool) {
	stored, err := t.pool.Bucket.Head(ctx, t.object.Key())
	if err != nil {
		if !errors.Is(err, storage.ErrNotFound) {
			s.log.Warn().Err(err).Str("pool", t.pool.ID()).Msg("bucket does not answer")
		}
		return cache.Entry{}, false
	}
	entry := s.rules.Present(s.now(), stored.Expires)
	if entry.State != cache.Present {
		return cache.Entry{}, false
	}
	// What was begun before a purge can't be put.
	if redisUp && errors.Is(s.cache.Put(ctx, t.key, stored.Generation, entry), cache.ErrPurged) {
		return cache.Entry{}, false
	}
	s.metrics.backfills.WithLabelValues(t.pool.ID()).Inc()
	return entry, true
}
