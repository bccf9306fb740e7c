package flight

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// looks bounds the HEADs of the bucket for the status of objects that redis does not know.
type looks struct {
	mu      sync.Mutex
	clients buckets[netip.Addr]
	shared  singleflight.Group
}

// Look is [Group.Backfill] for a client that requests a status. Concurrent calls for one object
// share a HEAD. Look returns a [*LimitError] if the client exceeds its rate.
func (g *Group) Look(ctx context.Context, t *Target, redisUp bool, client netip.Addr) (cache.Entry, error) {
	if wait := g.looks.pay(client, g.now()); wait > 0 {
		return cache.Entry{}, refuse(LimitStatus, wait)
	}
	shared := g.looks.shared.DoChan(t.Key, func() (any, error) { // The first caller can leave before the others.
		return g.Backfill(context.WithoutCancel(ctx), t, redisUp)
	})
	select {
	case found := <-shared:
		return found.Val.(cache.Entry), found.Err
	case <-ctx.Done():
		return cache.Entry{}, ctx.Err()
	}
}

func (l *looks) pay(client netip.Addr, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clients.take(client, now)
}
