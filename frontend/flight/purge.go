package flight

import (
	"context"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// purgeTimeout bounds the purge of one object.
const purgeTimeout = 10 * time.Second

// Purge removes an object from the cache and the bucket, and ends its running copy. It continues
// after ctx is cancelled. A purge that failed halfway can be repeated.
//
// The first new generation keeps the running copy from being published, and readers from finding
// the old object in the bucket. The second new generation does the same for copies that start
// between the first one and the deletion: the deletion may hit their object. The message has the
// second generation, so that it ends those copies as well.
func (g *Group) Purge(ctx context.Context, t *Target) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	if _, err := g.cache.Purge(ctx, t.Key); err != nil {
		return err
	}
	if err := t.Pool.Bucket.Delete(ctx, t.Object.Key()); err != nil {
		return err
	}
	generation, err := g.cache.Purge(ctx, t.Key)
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
