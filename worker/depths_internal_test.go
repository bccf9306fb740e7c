package worker

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// TestDepthsWithoutAnAnswer has SQS refuse the second and the third measurement.
func TestDepthsWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		var log bytes.Buffer
		var measured atomic.Int64
		d := &Depths{Metrics: NewMetrics(r, nil, Upstreams{}), Log: zerolog.New(&log), Now: time.Now, Measure: func(context.Context) (queue.Depth, queue.Depth, error) {
			if n := measured.Add(1); n == 2 || n == 3 {
				return queue.Depth{}, queue.Depth{}, errors.New("refused")
			}
			return queue.Depth{Visible: 1, Hidden: 2}, queue.Depth{Visible: 3, Hidden: 4}, nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go d.Run(ctx)
		const metric = "cloud_mirror_queue_messages"
		for i, present := range []bool{true, false, false, true} {
			synctest.Wait()
			require.EqualValues(t, i+1, measured.Load())
			if !present {
				require.Zero(t, testutil.CollectAndCount(d.Metrics.depth))
				require.Zero(t, testutil.CollectAndCount(d.Metrics.bridge.age))
			} else {
				require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`
# HELP cloud_mirror_queue_messages Messages in SQS, about, by queue (requests, dead) and state (visible, hidden); only on a bridge.
# TYPE cloud_mirror_queue_messages gauge
cloud_mirror_queue_messages{queue="dead",state="hidden"} 4
cloud_mirror_queue_messages{queue="dead",state="visible"} 3
cloud_mirror_queue_messages{queue="requests",state="hidden"} 2
cloud_mirror_queue_messages{queue="requests",state="visible"} 1
`), metric))
				require.Equal(t, 1, testutil.CollectAndCount(d.Metrics.bridge.age))
			}
			<-time.After(depthInterval)
		}
		require.Equal(t, 1, strings.Count(log.String(), "\n"))
	})
}

// TestDeadAge counts from the first measurement with dead letters. An empty queue ends the count.
func TestDeadAge(t *testing.T) {
	var now time.Time
	d := &Depths{Now: func() time.Time { return now }}
	start := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		at    time.Duration
		depth queue.Depth
		want  time.Duration
	}{
		{0, queue.Depth{}, 0},
		{time.Minute, queue.Depth{Visible: 1}, 0},
		{2 * time.Minute, queue.Depth{Hidden: 1}, time.Minute},
		{3 * time.Minute, queue.Depth{Visible: 2}, 2 * time.Minute},
		{4 * time.Minute, queue.Depth{}, 0},
		{5 * time.Minute, queue.Depth{Visible: 1}, 0},
	} {
		now = start.Add(step.at)
		require.Equal(t, step.want, d.deadAge(step.depth), step.at)
	}
}
