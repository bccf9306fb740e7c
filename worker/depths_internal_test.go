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
		d := &Depths{Metrics: NewMetrics(r, nil, Upstreams{}), Log: zerolog.New(&log), Measure: func(context.Context) (queue.Depth, queue.Depth, error) {
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
			} else {
				require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`
# HELP cloud_mirror_queue_messages Messages in SQS, about, by queue (requests, dead) and state (visible, hidden); only on a bridge.
# TYPE cloud_mirror_queue_messages gauge
cloud_mirror_queue_messages{queue="dead",state="hidden"} 4
cloud_mirror_queue_messages{queue="dead",state="visible"} 3
cloud_mirror_queue_messages{queue="requests",state="hidden"} 2
cloud_mirror_queue_messages{queue="requests",state="visible"} 1
`), metric))
			}
			<-time.After(depthInterval)
		}
		require.Equal(t, 1, strings.Count(log.String(), "\n"))
	})
}
