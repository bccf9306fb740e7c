package frontend

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics has no label that holds a client's input: pools are the configured ones, reasons and codes are ours.
type metrics struct {
	redirects map[string]map[reason]prometheus.Observer // by pool
	refusals  *prometheus.CounterVec                    // by code
	backfills *prometheus.CounterVec                    // by pool
	purges    *prometheus.CounterVec                    // by pool
	waiting   prometheus.Gauge
}

// noPool is the label of redirects for which no pool was found, since the client's region is not known.
const noPool = "none"

func newMetrics(r *prometheus.Registry, pools []string) metrics {
	f := promauto.With(r)
	return metrics{
		redirects: observers(f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cloud_mirror_redirect_seconds",
			Help:    "Time from a redirect request to its answer, by pool and by why the answer is what it is.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"pool", "reason"}), append([]string{noPool}, pools...)),
		refusals: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_refused_requests_total",
			Help: "Requests refused for what they asked, by error code.",
		}, []string{"code"}),
		backfills: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_backfills_total",
			Help: "Copies that the cache did not know of and the bucket had, by pool.",
		}, []string{"pool"}),
		purges: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_purges_total",
			Help: "Purged objects, by pool.",
		}, []string{"pool"}),
		waiting: f.NewGauge(prometheus.GaugeOpts{
			Name: "cloud_mirror_waiting_clients",
			Help: "Clients that wait for a copy.",
		}),
	}
}

// observers looks up all that a redirect may need beforehand, since a hit has no time for it.
func observers(vec *prometheus.HistogramVec, pools []string) map[string]map[reason]prometheus.Observer {
	all := map[string]map[reason]prometheus.Observer{}
	for _, pool := range pools {
		all[pool] = map[reason]prometheus.Observer{}
		for _, r := range reasons() {
			all[pool][r] = vec.WithLabelValues(pool, string(r))
		}
	}
	return all
}

func (m metrics) answered(pool string, r reason, took time.Duration) {
	m.redirects[pool][r].Observe(took.Seconds())
}

func (m metrics) refused(err error) {
	if p, ok := errors.AsType[*requestError](err); ok {
		m.refusals.WithLabelValues(string(p.code)).Inc()
	}
}
