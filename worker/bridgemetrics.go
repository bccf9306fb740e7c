package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// bridgeMetrics holds the measurements of bridges.
type bridgeMetrics struct {
	open *prometheus.GaugeVec
	age  *prometheus.GaugeVec
}

func newBridgeMetrics(f promauto.Factory) bridgeMetrics {
	return bridgeMetrics{
		open: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cloud_mirror_open_copies",
			Help: "Copies whose workflow has not ended, by pool: in flight, queued, or waiting for a retry; only on a bridge.",
		}, []string{"pool"}),
		age: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cloud_mirror_queue_age_seconds",
			Help: "By queue: how long the oldest message of the last receive had been in SQS (requests), and how long the bridge has seen dead letters (dead); only on a bridge.",
		}, []string{"queue"}),
	}
}

// received sets the age of the oldest message of a receive; it is 0 without a message.
func (m *Metrics) received(oldest time.Duration) {
	m.bridge.age.WithLabelValues("requests").Set(oldest.Seconds())
}

// deadFor sets how long the bridge has seen dead letters.
func (m *Metrics) deadFor(age time.Duration) {
	m.bridge.age.WithLabelValues("dead").Set(age.Seconds())
}
