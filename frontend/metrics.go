package frontend

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// metrics has no label that holds a client's input: pools are the configured ones, reasons and
// codes are constants. Package flight has the metrics of waits, backfills and purges.
type metrics struct {
	redirects map[string]map[reason]prometheus.Observer // by pool
	refusals  *prometheus.CounterVec                    // by code
	bodies    prometheus.Counter
	lists     prometheus.Counter
	limited   *prometheus.CounterVec // by limit
}

// noPool labels redirects without a pool: the client's region is unknown.
const noPool = "none"

func newMetrics(r *prometheus.Registry, pools []string) metrics {
	f := promauto.With(r)
	m := metrics{
		redirects: observers(f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cloud_mirror_redirect_seconds",
			Help:    "Time from a redirect request to its answer, by pool and by the reason for the answer.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"pool", "reason"}), append([]string{noPool}, pools...)),
		refusals: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_refused_requests_total",
			Help: "Invalid requests refused, by error code.",
		}, []string{"code"}),
		bodies: f.NewCounter(prometheus.CounterOpts{
			Name: "cloud_mirror_refused_bodies_total",
			Help: "Requests refused because they have a body and their route takes none.",
		}),
		lists: f.NewCounter(prometheus.CounterOpts{
			Name: "cloud_mirror_refused_lists_total",
			Help: "Lists of copies refused because too many lists were served.",
		}),
		limited: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_limited_requests_total",
			Help: "Redirect requests, and lines of lists, that reached a limit, by limit.",
		}, []string{"limit"}),
	}
	for _, l := range flight.AllLimits() {
		m.limited.WithLabelValues(string(l))
	}
	for _, c := range requestCodes() {
		m.refusals.WithLabelValues(string(c))
	}
	return m
}

// observers looks up every combination in advance: a hit has no time for it.
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

// reachedLimit counts a request that reached a limit.
func (m metrics) reachedLimit(l flight.Limit) { m.limited.WithLabelValues(string(l)).Inc() }

// refused counts the refusal of an invalid request.
func (m metrics) refused(err error) {
	if p, ok := errors.AsType[*requestError](err); ok {
		m.refusals.WithLabelValues(string(p.code)).Inc()
	}
}
