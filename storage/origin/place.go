package origin

import (
	"context"
	"sync/atomic"
)

// Place is the right to have one range request in flight to the host that serves an object. A caller
// reserves it before it takes memory for the range, so that ranges that wait for the host hold none.
// Redirects within the host keep the place. If they leave the host and return, the last hop waits.
//
// A request that must wait for an earlier hop gives its place back. Otherwise two objects whose hosts
// redirect to each other would wait for ever.
type Place struct {
	slot atomic.Pointer[slot]
}

// placeKey is the key of a Place in a context.
type placeKey struct{}

// With returns a context in which one [Client.GetRange] uses the place, or gives it back.
func (p *Place) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, placeKey{}, p)
}

// Release gives the place back unless a request has used it.
func (p *Place) Release() { p.slot.Swap(nil).release() }

// Reserve waits for a place at the host that serves the object. It fails with ctx's error.
func (c *Client) Reserve(ctx context.Context, canonical string, m Meta) (*Place, error) {
	s, err := c.conns.acquire(ctx, m.Host(canonical), bulk)
	if err != nil {
		return nil, err
	}
	p := &Place{}
	p.slot.Store(s)
	return p, nil
}

// reserved returns the slot of ctx's place, if it is one for this host and budget and was not used. If
// the place is one for another host, reserved returns a free slot of this host. If there is none, it
// gives the place back and returns nil.
func (c *conns) reserved(ctx context.Context, host string, b budget) *slot {
	p, ok := ctx.Value(placeKey{}).(*Place)
	if !ok {
		return nil
	}
	s := p.slot.Load()
	if s == nil {
		return nil
	}
	if s.key == (gateKey{host, b}) {
		return p.slot.Swap(nil)
	}
	if free := c.tryAcquire(host, b); free != nil {
		return free
	}
	p.Release()
	return nil
}
