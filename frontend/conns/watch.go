package conns

import "context"

// maxUnread is the limit of bytes behind a waiting request. It is well below the smallest receive
// window. A full window hides that the client left.
const maxUnread = 16 << 10

// Watch returns a context that also ends when the client of ctx's request leaves. It has ended
// already if the guard has closed the connection. Use it for a request that waits without a body.
// The caller calls stop before the request ends.
func Watch(ctx context.Context) (watched context.Context, stop context.CancelFunc) {
	c, ok := ctx.Value(connKey{}).(*conn)
	if !ok || c.fd < 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	g := c.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, open := g.clients[c.client][c]; !open {
		cancel() // The descriptor may belong to another connection by now.
		return ctx, cancel
	}
	g.watched[c] = cancel
	return ctx, func() {
		cancel()
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.watched, c)
	}
}

// cancelGone cancels the requests whose client has left.
func (g *Guard) cancelGone(poll *poller) {
	poll.reset()
	g.mu.Lock()
	for c := range g.watched {
		poll.add(c)
	}
	g.mu.Unlock()
	g.cancel(poll.gone())
}

// cancel cancels the requests of connections that are still watched. A connection that is watched
// after the poll was open during it, so the poll saw its own descriptor.
func (g *Guard) cancel(gone []*conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range gone {
		if cancel := g.watched[c]; cancel != nil {
			cancel()
			delete(g.watched, c)
		}
	}
}
