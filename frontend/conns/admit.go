package conns

import (
	"cmp"
	"net"
	"slices"
)

// batch is the divisor for evictions: each closes that share of the idle connections that it found.
// Otherwise each new connection would scan all others.
const batch = 64

// admit guards a connection, or returns nil if there is no room for it.
func (g *Guard) admit(tcp *net.TCPConn) *conn {
	c := &conn{TCPConn: tcp, guard: g, client: clientOf(tcp.RemoteAddr())}
	c.since.Store(-int64(g.now()))
	c.fd = setUp(tcp, g.options.Timeout)
	g.mu.Lock()
	victims, reason, ok := g.makeRoom(c.client)
	if ok {
		conns := g.clients[c.client]
		if conns == nil {
			conns = map[*conn]struct{}{}
			g.clients[c.client] = conns
		}
		conns[c] = struct{}{}
		g.open++
		g.metrics.open.Inc()
	}
	g.mu.Unlock()
	for _, v := range victims {
		g.metrics.closed[reason].Inc()
		_ = v.TCPConn.Close()
	}
	if !ok {
		g.metrics.refused[reason].Inc()
		return nil
	}
	return c
}

// makeRoom forgets idle connections if the limits leave no room for a new connection of the client.
// The caller closes them. It returns false if none is idle. The mutex is held.
func (g *Guard) makeRoom(client clientKey) (victims []*conn, reason limit, ok bool) {
	if own := g.clients[client]; g.options.MaxPerClient > 0 && len(own) >= g.options.MaxPerClient {
		victims = g.evict(client, func() []idleConn { return appendIdle(nil, own) })
		return victims, limitClient, len(victims) > 0
	}
	if g.options.Max > 0 && g.open >= g.options.Max {
		victims = g.evict(clientKey{}, g.mostIdle)
		return victims, limitAll, len(victims) > 0
	}
	return nil, "", true
}

// evict forgets the longest idle of the connections that find returns. They belong to one client,
// or to any client if the key is zero.
func (g *Guard) evict(client clientKey, find func() []idleConn) (victims []*conn) {
	if g.isBusy(client) {
		return nil
	}
	idle := find()
	if len(idle) == 0 {
		g.busy[client] = struct{}{}
		return nil
	}
	// The longest idle first: since is negative.
	slices.SortFunc(idle, func(a, b idleConn) int { return cmp.Compare(b.since, a.since) })
	for _, i := range idle[:1+(len(idle)-1)/batch] {
		if i.conn.since.Load() == i.since { // No request has come meanwhile.
			g.remove(i.conn)
			victims = append(victims, i.conn)
		}
	}
	return victims
}

// mostIdle returns the idle connections of the clients that have the most of them.
func (g *Guard) mostIdle() (most []idleConn) {
	found := 0 // By each of these clients.
	for _, conns := range g.clients {
		if len(conns) < found {
			continue
		}
		others := len(most)
		most = appendIdle(most, conns)
		switch n := len(most) - others; {
		case n > found:
			found, most = n, slices.Delete(most, 0, others)
		case n < found:
			most = most[:others]
		}
	}
	return most
}

// isBusy reports whether a client had no idle connection earlier in this tick. Such a client is
// refused without another scan of its connections.
func (g *Guard) isBusy(client clientKey) bool {
	if tick := g.ticks.Load(); g.busyAt != tick {
		clear(g.busy)
		g.busyAt = tick
	}
	_, busy := g.busy[client]
	return busy
}

type idleConn struct {
	conn  *conn
	since int64
}

// appendIdle appends the idle ones of a client's connections.
func appendIdle(idle []idleConn, conns map[*conn]struct{}) []idleConn {
	for c := range conns {
		if since := c.since.Load(); since < 0 {
			idle = append(idle, idleConn{c, since})
		}
	}
	return idle
}

// forget forgets a connection that is being closed, if it is not forgotten yet.
func (g *Guard) forget(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(c)
}

// remove is forget with the mutex held.
func (g *Guard) remove(c *conn) {
	conns := g.clients[c.client]
	if _, ok := conns[c]; !ok {
		return
	}
	delete(conns, c)
	if len(conns) == 0 {
		delete(g.clients, c.client)
	}
	delete(g.watched, c)
	g.open--
	g.metrics.open.Dec()
}
