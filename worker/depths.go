package worker

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// depthInterval is the time between two measurements of the queues. SQS counts with a delay of up to
// a minute.
const depthInterval = 15 * time.Second

// Depths measures the queues of a bridge for its metrics. All fields are required.
type Depths struct {
	// Measure returns the depth of the queue and that of its dead-letter queue.
	Measure func(context.Context) (requests, dead queue.Depth, err error)
	Metrics *Metrics
	Log     zerolog.Logger
}

// Run measures until ctx ends. It logs the first error after a success. Without a measurement there
// is no metric: an old value would look like a queue that nobody serves.
func (d *Depths) Run(ctx context.Context) {
	ticker := time.NewTicker(depthInterval)
	defer ticker.Stop()
	for failed := false; ctx.Err() == nil; {
		requests, dead, err := d.Measure(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			d.Log.Warn().Err(err).Msg("queues not measured, so that cloud_mirror_queue_messages is absent; does the role have sqs:GetQueueAttributes?")
		}
		if failed = err != nil; failed {
			d.Metrics.depth.Reset()
		} else {
			d.Metrics.depths(requests, dead)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}
