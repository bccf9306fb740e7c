// Package proxy forwards TCP connections, and fails in the ways of a network.
//
// # Decisions
//
// 2026-11-26: Lose works in pulses. A proxy that loses every reply also loses the replies of
// handshakes, so that no request would reach the server.
package proxy

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// A Way is a way in which a dependency fails.
type Way string

// The ways.
const (
	Refuse Way = "refuses connections" // Open connections are closed
	Hang   Way = "hangs"
	Slow   Way = "is slow by 200 ms"
	Cut    Way = "cuts its replies" // After 3 bytes
	// Lose forwards requests, and closes connections in place of a reply, in pulses.
	Lose Way = "loses its replies"
)

const (
	// pulse is how long each pulse of Lose lasts, and pulseEvery the time between their starts.
	pulse      = 150 * time.Millisecond
	pulseEvery = 400 * time.Millisecond
)

// A Proxy forwards to one server. It is safe for concurrent use.
type Proxy struct {
	proxy *toxiproxy.Proxy

	mu      sync.Mutex
	pulses  chan struct{} // Closed to end Lose; nil without it
	stopped sync.WaitGroup
}

// Server makes proxies.
type Server struct{ api *toxiproxy.ApiServer }

// NewServer returns a Server. It needs no end.
func NewServer() Server {
	return Server{toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
}

// New starts a proxy on a free port before an upstream, host and port. The caller closes it.
func (s Server) New(name, upstream string) (*Proxy, error) {
	p := &Proxy{proxy: toxiproxy.NewProxy(s.api, name, "127.0.0.1:0", upstream)}
	if err := p.proxy.Start(); err != nil {
		return nil, fmt.Errorf("proxy of %s: %w", name, err)
	}
	return p, nil
}

// Addr returns the proxy's host and port.
func (p *Proxy) Addr() string { return p.proxy.Listen }

// Fail makes the proxy fail in one more way. Open connections fail as well.
func (p *Proxy) Fail(way Way) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch way {
	case Refuse:
		p.proxy.Stop()
		return nil
	case Lose:
		if p.pulses == nil {
			p.pulses = make(chan struct{})
			end := p.pulses
			p.stopped.Go(func() { p.lose(end) })
		}
		return nil
	case Hang, Slow, Cut:
	}
	for _, toxic := range map[Way][]string{
		Hang: {`{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`, `{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`},
		Slow: {`{"type":"latency","stream":"downstream","attributes":{"latency":200}}`},
		Cut:  {`{"type":"limit_data","stream":"downstream","attributes":{"bytes":3}}`},
	}[way] {
		if err := p.add(toxic); err != nil {
			return err
		}
	}
	return nil
}

func (p *Proxy) add(toxic string) error {
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		return fmt.Errorf("proxy of %s: %w", p.proxy.Name, err)
	}
	return nil
}

// lose closes connections in place of replies during each pulse.
func (p *Proxy) lose(end <-chan struct{}) {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		if p.add(`{"name":"lose","type":"limit_data","stream":"downstream","attributes":{"bytes":0}}`) == nil {
			select {
			case <-end:
			case <-time.After(pulse):
			}
			_ = p.proxy.Toxics.RemoveToxic(context.Background(), "lose")
		}
		select {
		case <-end:
			return
		case <-tick.C:
		}
	}
}

// Restore ends all failures.
func (p *Proxy) Restore(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pulses != nil {
		close(p.pulses)
		p.stopped.Wait()
		p.pulses = nil
	}
	if !p.proxy.Enabled {
		if err := p.proxy.Start(); err != nil { // On the same port
			return fmt.Errorf("proxy of %s: %w", p.proxy.Name, err)
		}
	}
	p.proxy.Toxics.ResetToxics(ctx)
	return nil
}

// Close closes all connections. It is idempotent.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pulses != nil {
		close(p.pulses)
		p.stopped.Wait()
		p.pulses = nil
	}
	p.proxy.Stop()
}
