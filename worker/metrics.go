package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// Metrics counts what the worker does. Labels are configured pools and our own words.
type Metrics struct {
	messages *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	failed   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

var _ activities.Observer = (*Metrics)(nil)

// NewMetrics registers the metrics.
func NewMetrics(r *prometheus.Registry) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		messages: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_messages_total",
			Help: "Copy requests received, by pool (empty if it is none of ours) and outcome.",
		}, []string{"pool", "outcome"}),
		bytes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_copied_bytes_total",
			Help: "Bytes copied, by pool.",
		}, []string{"pool"}),
		failed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_failed_copies_total",
			Help: "Copies that failed for good, by pool and error class.",
		}, []string{"pool", "class"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cloud_mirror_copy_seconds",
			Help:    "Time that a successful StreamCopy took, by pool.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
		}, []string{"pool"}),
	}
}

// Failed counts a copy that failed for good, by its error class.
func (m *Metrics) Failed(pool, class string) { m.failed.WithLabelValues(pool, class).Inc() }

// Copied counts a copy of so many bytes and the time that its StreamCopy took.
func (m *Metrics) Copied(pool string, bytes int64, took time.Duration) {
	m.bytes.WithLabelValues(pool).Add(float64(bytes))
	m.seconds.WithLabelValues(pool).Observe(took.Seconds())
}
