package flight

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics has no label that holds a client's input: pools are the configured ones.
type metrics struct {
	backfills *prometheus.CounterVec // by pool
	found     *prometheus.CounterVec // by pool
	missing   *prometheus.CounterVec // by pool
	purges    *prometheus.CounterVec // by pool
	deferred  *prometheus.CounterVec // by pool
	waiting   prometheus.Gauge
}

// newMetrics registers the metrics, with each pool's counters at zero: a counter that appears at 1
// never shows as an increase.
func newMetrics(r *prometheus.Registry, pools []*Pool) metrics {
	f := promauto.With(r)
	m := metrics{
		backfills: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_backfills_total",
			Help: "Copies found in the bucket that redis had lost, by pool.",
		}, []string{"pool"}),
		found: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_found_bytes_total",
			Help: "Sizes of copies that were requested and that the bucket had already, by pool.",
		}, []string{"pool"}),
		missing: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_missing_copies_total",
			Help: "Copies that redis knew and the bucket no longer had, by pool.",
		}, []string{"pool"}),
		purges: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_purges_total",
			Help: "Objects purged, by pool.",
		}, []string{"pool"}),
		deferred: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_deferred_purges_total",
			Help: "Purges that failed halfway and that a workflow finishes, by pool.",
		}, []string{"pool"}),
		waiting: f.NewGauge(prometheus.GaugeOpts{
			Name: "cloud_mirror_waiting_clients",
			Help: "Clients waiting for a copy.",
		}),
	}
	for _, p := range pools {
		m.backfills.WithLabelValues(p.ID())
		m.found.WithLabelValues(p.ID())
		m.missing.WithLabelValues(p.ID())
		m.purges.WithLabelValues(p.ID())
		m.deferred.WithLabelValues(p.ID())
	}
	return m
}
