package flight

import (
	"context"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// purgeTimeout bounds the purge of one object.
const purgeTimeout = 10 * time.Second

// Purge removes an object from the cache and the bucket, and ends its running copy. It continues
// after ctx is cancelled. A purge that failed halfway can be repeated.
//
// The message has the second generation of [cache.PurgeCopy], so that it also ends copies that
// start during the purge.
func (g *Group) Purge(ctx context.Context, t *Target) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	generation, err := cache.PurgeCopy(ctx, g.cache, t.Key, func(ctx context.Context) error {
		return t.Pool.Bucket.Delete(ctx, t.Object.Key())
	})
	if err != nil {
		return err
	}
	endCopy := queue.Request{Pool: t.Pool.ID(), URL: t.Object.URL, Action: queue.Cancel, Generation: generation}
	if err := g.queue.Send(ctx, endCopy); err != nil {
		return fmt.Errorf("end the running copy: %w", err)
	}
	g.metrics.purges.WithLabelValues(t.Pool.ID()).Inc()
	return nil
}
