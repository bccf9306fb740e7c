package conns

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tick is how often waiting connections are polled.
const tick = 250 * time.Millisecond

// Options configures a [Guard].
type Options struct {
	// Max is the limit of connections, and MaxPerClient the limit of one client. Zero is no limit.
	// New lowers both if the process may not open enough files.
	Max, MaxPerClient int
	// Timeout is how long a peer may acknowledge or read nothing. Zero is the kernel's default.
	Timeout time.Duration
	// Longest is how long one request may be served without [Progress]. Zero is no limit.
	Longest time.Duration
	// Registry takes the metrics. Nil discards them.
	Registry prometheus.Registerer
}

// A Guard guards the connections of one server. It is safe for concurrent use.
type Guard struct {
	options Options
	metrics metrics
	start   time.Time
	ticks   atomic.Int64 // Since start.

	mu      sync.Mutex
	clients map[clientKey]map[*conn]struct{}
	open    int
	watched map[*conn]context.CancelFunc
	busy    map[clientKey]struct{} // See isBusy.
	busyAt  int64                  // The tick that busy belongs to.
}

// New returns a guard. It does no I/O.
func New(o Options) *Guard {
	o.Max, o.MaxPerClient = fit(o.Max, o.MaxPerClient, maxFiles())
	return &Guard{
		options: o,
		start:   time.Now(),
		metrics: newMetrics(o.Registry),
		clients: map[clientKey]map[*conn]struct{}{},
		busy:    map[clientKey]struct{}{},
		watched: map[*conn]context.CancelFunc{},
	}
}

// now returns the time since the start of the guard. It is never zero, so that its sign is free.
func (g *Guard) now() time.Duration { return time.Since(g.start) + 1 }

// fit returns the limits for a process that may open that number of files. An eighth of them, and
// at least 64, are for everything except clients. If fit lowers the limits, one client keeps at
// most half of the connections.
func fit(most, perClient int, files uint64) (int, int) {
	room := int(min(files-min(files, max(64, files/8)), 1<<30))
	if most > 0 && most > room {
		most = max(room, 1)
		if perClient > 0 {
			perClient = min(perClient, max(most/2, 1))
		}
	}
	return most, perClient
}

// Max returns the limit of connections. It is less than [Options].Max if the process may not open
// enough files.
func (g *Guard) Max() int { return g.options.Max }

// Open returns the number of open connections.
func (g *Guard) Open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// Serve is srv.Serve(l) with guarded connections. It sets ConnState and ConnContext of srv.
func (g *Guard) Serve(srv *http.Server, l net.Listener) error {
	srv.ConnState = changed
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go g.run(ctx)
	return srv.Serve(listener{l, g})
}

// run counts ticks, polls waiting connections, and cuts requests that take too long.
func (g *Guard) run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var poll poller
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ticks := g.ticks.Add(1)
		g.cancelGone(&poll)
		if g.options.Longest > 0 && ticks%8 == 0 {
			g.cutSlow(g.now() - g.options.Longest)
		}
	}
}

// cutSlow closes the connections with a request that started before that time.
func (g *Guard) cutSlow(before time.Duration) {
	var slow []*conn
	g.mu.Lock()
	for _, conns := range g.clients {
		for c := range conns {
			if since := c.since.Load(); since > 0 && since < int64(before) {
				slow = append(slow, c)
			}
		}
	}
	g.mu.Unlock()
	for _, c := range slow {
		g.metrics.closed[closedSlow].Inc()
		_ = c.Close()
	}
}

// listener accepts connections on behalf of a guard.
type listener struct {
	net.Listener
	guard *Guard
}

// Accept returns the next connection within the limits. It closes connections beyond them. Only TCP
// connections are guarded.
func (l listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := accepted.(*net.TCPConn)
		if !ok {
			return accepted, nil
		}
		if c := l.guard.admit(tcp); c != nil {
			return c, nil
		}
		_ = tcp.Close()
	}
}
