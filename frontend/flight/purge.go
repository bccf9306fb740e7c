package flight

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

const (
	// purgeTimeout bounds the part of a purge that uses redis and the bucket.
	purgeTimeout = 10 * time.Second
	// purgeSendTimeout bounds its message, which must be sent even if the bucket hangs.
	purgeSendTimeout = 5 * time.Second
)

// Purge removes an object from the cache and the bucket, and ends its running copy. If redis or the
// bucket fails, a workflow finishes the purge: Purge returns true. If that can't be requested
// either, Purge fails, and can be repeated. It continues after ctx is cancelled.
//
// The message has the second generation of [cache.PurgeCopy], so that it also ends copies that
// start during the purge.
func (g *Group) Purge(ctx context.Context, t *Target) (deferred bool, err error) {
	ctx = context.WithoutCancel(ctx)
	r := queue.Request{Pool: t.Pool.ID(), URL: t.Object.URL, Action: queue.Cancel}
	var failed error
	if r.Generation, failed = g.purge(ctx, t); failed != nil {
		r.Action = queue.Delete
	}
	ctx, cancel := context.WithTimeout(ctx, purgeSendTimeout)
	defer cancel()
	if err := g.queue.Send(ctx, r); err != nil {
		return false, errors.Join(failed, fmt.Errorf("end the running copy: %w", err))
	}
	if failed != nil {
		g.about(ctx, t, g.log.Warn()).Err(failed).Msg("a workflow finishes a purge that failed")
		g.metrics.deferred.WithLabelValues(r.Pool).Inc()
		return true, nil
	}
	g.metrics.purges.WithLabelValues(r.Pool).Inc()
	return false, nil
}

// purge removes the object from the cache and the bucket. It returns the last generation that it
// made, also with an error.
func (g *Group) purge(ctx context.Context, t *Target) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	return cache.PurgeCopy(ctx, g.cache, t.Key, func(ctx context.Context) error {
		return t.Pool.Bucket.Delete(ctx, t.Object.Key())
	})
}
