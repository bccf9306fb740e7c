package auditor

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// A Canary listens where no process may connect, and counts connections.
type Canary struct {
	listener net.Listener
	count    atomic.Int64
}

// NewCanary listens at an address, such as that of the machine outside of the allowed networks. The
// caller closes it.
func NewCanary(address string) (*Canary, error) {
	l, err := net.Listen("tcp", address) //nolint:noctx // It does not block
	if err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	c := &Canary{listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.count.Add(1)
			_ = conn.Close()
		}
	}()
	return c, nil
}

// Addr returns the canary's host and port.
func (c *Canary) Addr() string { return c.listener.Addr().String() }

// Prove is the positive control of a canary: it connects, and returns when the canary has counted
// that. The connection does not count any more.
func (c *Canary) Prove(ctx context.Context) error {
	before := c.count.Load()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.Addr())
	if err != nil {
		return fmt.Errorf("canary: %w", err)
	}
	defer conn.Close()
	for tick := time.NewTicker(time.Millisecond); c.count.Load() == before; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return fmt.Errorf("canary counts nothing: %w", ctx.Err())
		case <-tick.C:
		}
	}
	c.count.Add(-1)
	return nil
}

// Connections returns the number of connections so far.
func (c *Canary) Connections() int64 { return c.count.Load() }

// Close ends the canary.
func (c *Canary) Close() error { return c.listener.Close() }
