package flight

import (
	"context"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// purgeTimeout bounds the purge of one object.
const purgeTimeout = 10 * time.Second

// Purge removes an object from the cache and the bucket, and cancels its running copy. It continues
// after ctx is cancelled. A purge that failed halfway can be repeated.
//
// The first new generation keeps the running copy from being published, and readers from finding
// the old object in the bucket. The second one does the same for copies that were started between
// the first one and the deletion, which may have deleted their object.
func (g *Group) Purge(ctx context.Context, t *Target) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	generation, err := g.cache.Purge(ctx, t.Key)
	if err != nil {
		return err
	}
	cancelCopy := queue.Request{Pool: t.Pool.ID(), URL: t.Object.URL, Action: queue.Cancel, Generation: generation}
	if err := g.queue.Send(ctx, cancelCopy); err != nil {
		return fmt.Errorf("cancel the running copy: %w", err)
	}
	if err := t.Pool.Bucket.Delete(ctx, t.Object.Key()); err != nil {
		return err
	}
	if _, err := g.cache.Purge(ctx, t.Key); err != nil {
		return err
	}
	g.metrics.purges.WithLabelValues(t.Pool.ID()).Inc()
	return nil
}
