package cache

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// noRetries keeps the client of a cluster from repeating a command after an I/O error, because the
// command may have run. The client still follows redirects.
type noRetries struct{}

var _ redis.Hook = noRetries{}

func (noRetries) DialHook(next redis.DialHook) redis.DialHook { return next }

func (noRetries) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return next(ctx, once{cmd}) }
}

func (noRetries) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// once is a command that is sent once.
type once struct{ redis.Cmder }

func (once) NoRetry() bool { return true }

// switches counts how often a dial reached another master than the dial before it.
type switches struct {
	count atomic.Int64

	mu   sync.Mutex
	last string
}

var _ redis.Hook = (*switches)(nil)

// DialHook records the address that a dial reached.
func (s *switches) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err == nil {
			s.reached(conn.RemoteAddr().String())
		}
		return conn, err
	}
}

// ProcessHook changes nothing.
func (s *switches) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook changes nothing.
func (s *switches) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s *switches) reached(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != "" && s.last != addr {
		s.count.Add(1)
	}
	s.last = addr
}

// now returns the number of switches so far. It is 0 without sentinels.
func (s *switches) now() int64 {
	if s == nil {
		return 0
	}
	return s.count.Load()
}

// outages reports whether any circuit breaker is open.
type outages struct {
	onChange func(open bool)

	mu   sync.Mutex
	open map[string]bool // the nodes with an open breaker, by address
}

// set records that the breaker of a node opened or closed.
func (o *outages) set(addr string, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(o.open) > 0
	if open {
		o.open[addr] = true
	} else {
		delete(o.open, addr)
	}
	if after := len(o.open) > 0; after != before {
		o.onChange(after)
	}
}
