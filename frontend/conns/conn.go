package conns

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

// conn is a guarded connection.
type conn struct {
	*net.TCPConn
	guard  *Guard
	client clientKey
	fd     int // For poll only. It is valid until the guard forgets the connection.

	// since is the start of the running request, in nanoseconds of the guard's clock. For an idle
	// connection it is the start of the idle time, as a negative number.
	since atomic.Int64

	buffer Buffer // See BufferOf.
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// Close forgets the connection before it closes it.
func (c *conn) Close() error {
	c.guard.forget(c)
	return c.TCPConn.Close()
}

// changed is the server's ConnState: it runs twice for each request.
func changed(nc net.Conn, state http.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		c.since.Store(int64(c.guard.now()))
	case http.StateIdle:
		c.since.Store(-int64(c.guard.now()))
	default: // A new connection is idle from the start, and Close forgets it.
	}
}

// Progress restarts the time that the request of ctx may take; see [Options].Longest.
func Progress(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		c.since.Store(int64(c.guard.now()))
	}
}

// clientKey identifies a client; see [region.ClientOf]. It is zero for an address that is not TCP's.
type clientKey netip.Addr

func clientOf(a net.Addr) clientKey {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return clientKey{}
	}
	return clientKey(region.ClientOf(tcp.AddrPort().Addr()))
}
