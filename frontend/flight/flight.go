package flight

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
)

// firstPoll and maxPoll space the HEADs of the bucket while redis can't wake a flight.
const (
	firstPoll = 100 * time.Millisecond
	maxPoll   = 2 * time.Second
)

// raiseEvery is the time between two tries to raise the priority of a copy.
const raiseEvery = 5 * time.Second

// A flight waits for one object on behalf of all its clients in this process. All of them have the
// same minimum size. It reads the entry, requests the copy if there is none, and sleeps until it is
// woken. It ends with a final entry, with a failed request, or with its last client.
type flight struct {
	group  *Group
	target *Target
	// want is how the flight requests the copy: with the first client's digest. Only run uses it.
	want demand

	cancel context.CancelFunc

	// starter is the client that started the flight. It pays for the copy request even after it has
	// left. joined counts the waiting requests of other clients. Group.mu guards clients and
	// joined.
	starter netip.Addr
	clients int
	joined  map[netip.Addr]int

	// seen is the last entry that may end a client's wait although it is not final. It belongs to a
	// failed copy during its back-off, or to a running copy with a digest. A change of seen closes
	// and replaces changed. Group.mu guards both.
	seen    cache.Entry
	changed chan struct{}

	// requested is closed when the copy is known to be requested, or can't be. No client is
	// answered before that.
	requested     chan struct{}
	requestedOnce sync.Once
	// done is closed when the following fields are final.
	done      chan struct{}
	entry     cache.Entry
	queueDown bool // The copy could not be requested.
	refused   *LimitError
	waited    bool // The entry was not final at the first look.

	raised bool // The copy was requested at a client's priority; only run uses it.
}

// join adds a client to its object's flight, and starts the flight if there is none. It returns a
// [LimitError] if too many clients wait, or if the client can't pay for a new flight's copy
// request. Otherwise the caller calls leave once.
func (g *Group) join(ctx context.Context, t *Target, digest string, w Wait) (*flight, *LimitError) {
	client := w.Client
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.flights[t.id()]
	if l := g.full(f, client); l != None {
		return nil, refuse(l, g.meanWait)
	}
	if f == nil && w.Cold {
		// A client at its limit can't pay, so its request does no further I/O. The host's limit and
		// the gate are checked after the HEAD of the bucket: they must not hide copies that redis
		// lost.
		if wait := g.admission.clients.wait(client, g.admission.now()); wait > 0 {
			return nil, refuse(LimitClient, wait)
		}
	}
	if f == nil {
		// The flight has a context of its own: the first client's leaving must not disturb the
		// others.
		ctx, cancel := context.WithCancel(traced(ctx))
		f = &flight{
			group: g, target: t, want: demand{digest: digest}, cancel: cancel, starter: client,
			requested: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}),
		}
		g.flights[t.id()] = f
		g.running.Go(func() { f.run(ctx) })
	}
	f.clients++
	g.clients++
	count(&g.waiting, client, 1)
	if client != f.starter {
		count(&f.joined, client, 1)
	}
	return f, nil
}

// traced returns a context with the id and the trace of the request, and nothing else of ctx.
func traced(ctx context.Context) context.Context {
	own := requestid.With(context.Background(), requestid.From(ctx))
	if parent := trace.SpanContextFromContext(ctx); parent.IsValid() {
		own = trace.ContextWithSpanContext(own, parent)
	}
	return own
}

// full returns the limit of waiting clients that the client would exceed. f is nil if the flight
// does not exist yet. Group.mu is held.
func (g *Group) full(f *flight, client netip.Addr) Limit {
	switch {
	case g.waiting[client] >= g.limits.perClient:
		return LimitWaitersPerClient
	case f != nil && f.clients >= g.limits.perObject:
		return LimitWaitersPerObject
	case g.clients >= g.limits.all:
		return LimitWaiters
	default:
		return None
	}
}

// count changes a client's number of waiting requests. A client without any takes no memory.
func count(all *map[netip.Addr]int, client netip.Addr, by int) {
	if *all == nil {
		*all = map[netip.Addr]int{}
	}
	if (*all)[client] += by; (*all)[client] == 0 {
		delete(*all, client)
	}
}

// leave removes a client that has waited for the given time.
func (f *flight) leave(client netip.Addr, waited time.Duration) {
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	f.group.meanWait += (waited - f.group.meanWait) / meanWaitOver
	f.group.clients--
	count(&f.group.waiting, client, -1)
	if client != f.starter {
		count(&f.joined, client, -1)
	}
	if f.clients--; f.clients == 0 {
		f.cancel()
		f.remove()
	}
}

// remove unlists the flight, unless a newer flight has taken its place. Group.mu is held.
func (f *flight) remove() {
	if f.group.flights[f.target.id()] == f {
		delete(f.group.flights, f.target.id())
	}
}

func (f *flight) run(ctx context.Context) {
	watcher := f.group.watcher
	changed, stop := watcher.Wait(f.target.Key)
	defer stop()
	poll := firstPoll
	for {
		entry, redisErr := f.look(ctx)
		if entry.Final() || f.queueDown || f.refused != nil {
			f.finish(entry)
			return
		}
		f.requestedOnce.Do(func() { close(f.requested) })
		f.waited = true
		f.note(entry)

		// Redis says when to look again, by a wake-up or by the entry's deadline. Without it, poll.
		wait := entry.Deadline.Sub(f.group.now())
		if entry.Low && !f.raised {
			wait = min(wait, raiseEvery)
		}
		if redisErr != nil || !watcher.Up() {
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

// note shows the clients a copy that failed, or that has another digest than they expect. Otherwise
// they would wait in vain.
func (f *flight) note(entry cache.Entry) {
	switch {
	case entry.State == cache.Error:
	case entry.SHA256 != "":
		entry = cache.Entry{State: entry.State, SHA256: entry.SHA256}
	default:
		entry = cache.Entry{} // Progress is no news.
	}
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	if entry != f.seen {
		f.seen = entry
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// noted returns the entry that may end a client's wait, or an Absent one, and a channel that is
// closed when it changes.
func (f *flight) noted() (cache.Entry, <-chan struct{}) {
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	return f.seen, f.changed
}

func (f *flight) finish(entry cache.Entry) {
	f.group.mu.Lock()
	f.remove()
	f.group.mu.Unlock()
	f.entry = entry
	close(f.done) // First: a client that sees only requested would miss the result.
	f.requestedOnce.Do(func() { close(f.requested) })
}

// look reads the object's entry. It requests a copy if there is no entry, or only a copy at low
// priority. It ignores cancellation, as [Group.ask] does. The error is redis's.
func (f *flight) look(ctx context.Context) (cache.Entry, error) {
	ctx = context.WithoutCancel(ctx)
	entry, redisErr := f.group.cache.Read(ctx, f.target.Key)
	if redisErr == nil && entry.For(f.target.MinSize).State != cache.Absent {
		if entry.Low && !f.raised {
			f.raise(ctx, entry)
		}
		return entry, nil
	}
	d := f.want
	if !d.sent { // A flight pays once, however often its copy is lost.
		d.turn = f.pay
	}
	a := f.group.ask(ctx, f.target, redisErr, d)
	f.refused, _ = errors.AsType[*LimitError](a.queue)
	f.queueDown, f.want.sent = a.queue != nil && f.refused == nil, f.want.sent || a.sent
	return a.entry, a.redis
}

// raise raises the priority of a copy if a client of the flight can pay for it. It costs only the
// client's token, because no new copy is made. look tries again if no client can pay, or if a
// renewal of the lease came first.
func (f *flight) raise(ctx context.Context, low cache.Entry) {
	d := f.want
	if !d.sent {
		if !f.canPay() {
			return // Without I/O: one client can wait for thousands of such copies.
		}
		d.turn = f.payForRaise
	}
	f.raised = f.group.raise(ctx, f.target, low, d)
	f.want.sent = f.want.sent || f.raised
}

func (f *flight) canPay() bool {
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	return f.group.admission.canPay(f.payers())
}

func (f *flight) payForRaise() error {
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	return f.group.admission.pay(f.payers())
}

// pay pays for the flight's copy request. It fails with a [*LimitError] if no client of the flight
// is within the limits. Then the flight accepts no more clients: a later client starts a flight
// that it can pay for.
func (f *flight) pay() error {
	f.group.mu.Lock()
	defer f.group.mu.Unlock()
	err := f.group.admission.request(f.target, f.payers())
	if err != nil {
		f.remove()
	}
	return err
}

// payers returns the clients that can pay for the copy request. Group.mu is held.
func (f *flight) payers() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		if !yield(f.starter) {
			return
		}
		for client := range f.joined {
			if !yield(client) {
				return
			}
		}
	}
}
