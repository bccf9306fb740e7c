package worker

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// depthInterval is the time between two measurements of the queues. SQS counts with a delay of up
// to a minute.
const depthInterval = 15 * time.Second

// Depths measures the queues of a bridge for its metrics. All fields are required.
type Depths struct {
	// Measure returns the depth of the queue and that of its dead-letter queue.
	Measure func(context.Context) (requests, dead queue.Depth, err error)
	Metrics *Metrics
	Log     zerolog.Logger
	Now     func() time.Time

	deadSince time.Time // Zero while there are no dead letters
}

// Run measures until ctx ends. It logs the first error after a success. Without a measurement there
// are no metrics: an old value would look like a queue without a receiver.
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
			d.Metrics.bridge.age.DeleteLabelValues("dead")
		} else {
			d.Metrics.depths(requests, dead)
			d.Metrics.deadFor(d.deadAge(dead))
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// deadAge returns how long there have been dead letters. SQS tells their age only to those who
// receive them, and a receive hides them.
func (d *Depths) deadAge(dead queue.Depth) time.Duration {
	switch now := d.Now(); {
	case dead.Visible+dead.Hidden == 0:
		d.deadSince = time.Time{}
		return 0
	case d.deadSince.IsZero():
		d.deadSince = now
		return 0
	default:
		return now.Sub(d.deadSince)
	}
}
