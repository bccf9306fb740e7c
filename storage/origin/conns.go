package origin

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

// budget is one of the limits of connections to a host. They are separate for two reasons. Large
// objects never keep a first request waiting. And a stream, which waits for memory while it holds its
// connection, never keeps a range waiting, which may wait for its connection while it holds memory: see
// package copier.
type budget int

const (
	firsts  budget = iota // First requests, which read small objects as well
	streams               // Whole large objects
	bulk                  // Ranges of large objects
	checks                // HEADs
)

const (
	// firstPatience is how long a first request waits for a connection.
	firstPatience = 2 * time.Second
	// congestedAfter is how long the first request in a queue has waited if the host is congested.
	// Then at most a quarter of the limit waits for connections for first requests.
	congestedAfter = time.Second
	// growAfter is how many ranges a host must serve, for each connection that it is allowed,
	// before it is tried with one more.
	growAfter = 16
	// forgetAfter is how long a lowered limit is remembered after the last refusal.
	forgetAfter = 10 * time.Minute
	// sweepAbove is the number of gates above which old gates are swept.
	sweepAbove = 1000
)

// conns bounds the requests that are in flight to each host. The bulk limit of a host adapts: it is
// halved when the host refuses a range, and grows slowly while the host serves them.
type conns struct {
	most int // The configured limit of each budget
	now  func() time.Time

	mu    sync.Mutex
	gates map[gateKey]*gate
}

type gateKey struct {
	host string
	budget
}

// gate is one budget of one host.
type gate struct {
	limit, inFlight int
	started         int // Requests so far
	drops           int // How often the limit was lowered
	served          int // Ranges served since the limit changed
	refusedAt       time.Time
	waiting         []*turn // The first enters next
}

// turn is a request that waits.
type turn struct {
	enter    chan struct{} // Closed when the request may enter
	since    time.Time
	inFlight int // The gate's, when the request entered; set before enter is closed
}

// slot is the right to have one request in flight. Nil is a slot without limits.
type slot struct {
	conns          *conns
	key            gateKey
	gate           *gate
	started, drops int // The gate's, when the request started
	inFlight       int // The gate's, when the request started; the request is one of them
	crowded        bool
	once           sync.Once
}

func newConns(most int) *conns {
	return &conns{most: most, now: time.Now, gates: map[gateKey]*gate{}}
}

// errCongested is the error of a first request to a host at which many wait in vain already.
var errCongested = errors.New("too many requests wait for the host")

// acquire waits for a slot, in the order of the calls. It fails with ctx's error, or with
// errCongested.
func (c *conns) acquire(ctx context.Context, host string, b budget) (*slot, error) {
	key := gateKey{host, b}
	c.mu.Lock()
	g := c.gate(key)
	var entry *turn
	if g.inFlight >= g.limit || len(g.waiting) > 0 {
		if b == firsts && c.congested(g) {
			c.mu.Unlock()
			return nil, errCongested
		}
		entry = &turn{enter: make(chan struct{}), since: c.now()}
		g.waiting = append(g.waiting, entry)
		c.admit(key, g) // The limit may just have been forgotten
		c.mu.Unlock()
		select {
		case <-entry.enter:
			c.mu.Lock()
		case <-ctx.Done():
			c.mu.Lock()
			defer c.mu.Unlock()
			if i := slices.Index(g.waiting, entry); i >= 0 {
				g.waiting = slices.Delete(g.waiting, i, i+1)
			} else {
				g.inFlight-- // It was admitted meanwhile
			}
			c.admit(key, g)
			return nil, ctx.Err()
		}
	} else {
		g.inFlight++
		entry = &turn{inFlight: g.inFlight}
	}
	defer c.mu.Unlock()
	return c.start(key, g, entry.inFlight), nil
}

// tryAcquire is acquire without a wait. It returns nil if acquire would wait.
func (c *conns) tryAcquire(host string, b budget) *slot {
	key := gateKey{host, b}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gate(key)
	if g.inFlight >= g.limit || len(g.waiting) > 0 {
		return nil
	}
	g.inFlight++
	return c.start(key, g, g.inFlight)
}

// start returns the slot of a request that has entered. c.mu is held.
func (c *conns) start(key gateKey, g *gate, inFlight int) *slot {
	g.started++
	return &slot{
		conns: c, key: key, gate: g, started: g.started, drops: g.drops, inFlight: inFlight, crowded: g.inFlight > 1,
	}
}

// congested reports whether a further request would wait in vain, and keep others out of the worker.
// c.mu is held.
func (c *conns) congested(g *gate) bool {
	n := len(g.waiting)
	return n > 0 && n >= c.most/4 && c.now().Sub(g.waiting[0].since) >= congestedAfter
}

// gate returns the gate of a key. c.mu is held.
func (c *conns) gate(key gateKey) *gate {
	g := c.gates[key]
	if g == nil {
		c.sweep()
		g = &gate{limit: c.most}
		c.gates[key] = g
	}
	if g.limit < c.most && c.now().Sub(g.refusedAt) > forgetAfter {
		g.limit = c.most
	}
	return g
}

// sweep forgets lowered limits that no longer count, once there are many. c.mu is held.
func (c *conns) sweep() {
	if len(c.gates) < sweepAbove {
		return
	}
	for key, g := range c.gates {
		if g.inFlight == 0 && len(g.waiting) == 0 && c.now().Sub(g.refusedAt) > forgetAfter {
			delete(c.gates, key)
		}
	}
}

// admit lets waiting requests in, and forgets a gate without any use. c.mu is held.
func (c *conns) admit(key gateKey, g *gate) {
	for g.inFlight < g.limit && len(g.waiting) > 0 {
		g.inFlight++
		g.waiting[0].inFlight = g.inFlight
		close(g.waiting[0].enter)
		g.waiting = g.waiting[1:]
	}
	if g.inFlight == 0 && len(g.waiting) == 0 && g.limit == c.most {
		delete(c.gates, key)
	}
}

// release ends the request. Only the first call counts.
func (s *slot) release() {
	if s == nil {
		return
	}
	s.once.Do(func() {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		s.gate.inFlight--
		s.conns.admit(s.key, s.gate)
	})
}

// refused lowers the host's limit, because the host refused this request, to half of the requests
// that were in flight with it. It counts those at its start and those of now, and takes the larger
// number. The others of its round may have ended meanwhile.
//
// It reports whether there were others, so that a later try may succeed. Requests that started
// before the limit was lowered last don't lower it again. Call it before release.
func (s *slot) refused() (crowded bool) {
	c, g := s.conns, s.gate
	c.mu.Lock()
	defer c.mu.Unlock()
	crowded = s.crowded || g.inFlight > 1 || g.started != s.started || g.drops != s.drops
	if crowded && g.drops == s.drops {
		g.limit = max(1, min(g.limit, max(s.inFlight, g.inFlight))/2)
		g.drops++
	}
	g.served, g.refusedAt = 0, c.now()
	return crowded
}

// served raises the host's limit by one after it has served enough ranges, if requests wait.
func (s *slot) served() {
	c, g := s.conns, s.gate
	c.mu.Lock()
	defer c.mu.Unlock()
	if g.served++; g.limit < c.most && len(g.waiting) > 0 && g.served >= growAfter*g.limit {
		g.limit++
		g.served = 0
		c.admit(s.key, g)
	}
}

// slotBody releases its slot when it is closed. It reports each read.
type slotBody struct {
	io.ReadCloser
	slot      *slot
	onFetched func(bytes int)
}

func (b slotBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.onFetched(n)
	}
	return n, err
}

func (b slotBody) Close() error {
	defer b.slot.release()
	return b.ReadCloser.Close()
}
