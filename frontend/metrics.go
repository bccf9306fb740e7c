package frontend

import (
	"cmp"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

// metrics has no label that holds a client's input: pools and upstreams are the configured ones,
// reasons and codes are constants. Package flight has the metrics of waits, backfills and purges.
type metrics struct {
	redirects map[string]map[reason]prometheus.Observer // by pool
	refusals  *prometheus.CounterVec                    // by code
	bodies    prometheus.Counter
	lists     prometheus.Counter
	limited   *prometheus.CounterVec // by limit

	upstreams *upstream.Set
	toCopies  map[string]map[string]*copyCounters // by pool and upstream
}

// copyCounters count the redirects to copies of one pool and upstream. They are looked up once for
// each known target.
type copyCounters struct{ redirects, bytes prometheus.Counter }

// noUpstream labels redirects to copies of sources that are below no upstream.
const noUpstream = "none"

// noPool labels redirects without a pool: no pool has the region, or the request may not be copied.
const noPool = "none"

func newMetrics(r *prometheus.Registry, pools []string, upstreams *upstream.Set) metrics {
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
			Help: "Requests of redirects and statuses, and lines of lists, that reached a limit, by limit.",
		}, []string{"limit"}),
		upstreams: upstreams,
		toCopies: newCopyCounters(
			f.NewCounterVec(prometheus.CounterOpts{
				Name: "cloud_mirror_copy_redirects_total",
				Help: "GET requests redirected to a copy, by pool and by the upstream of the source. A redirect is not a finished download.",
			}, []string{"pool", "upstream"}),
			f.NewCounterVec(prometheus.CounterOpts{
				Name: "cloud_mirror_redirected_bytes_total",
				Help: "Sizes of the copies that GET requests were redirected to, by pool and by the upstream of the source. A redirect is not a finished download.",
			}, []string{"pool", "upstream"}),
			pools, upstreams.Names()),
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

// newCopyCounters starts the counters of every pool and upstream at zero.
func newCopyCounters(redirects, bytes *prometheus.CounterVec, pools, upstreams []string) map[string]map[string]*copyCounters {
	all := map[string]map[string]*copyCounters{}
	for _, pool := range pools {
		all[pool] = map[string]*copyCounters{}
		for _, name := range append([]string{noUpstream}, upstreams...) {
			all[pool][name] = &copyCounters{redirects.WithLabelValues(pool, name), bytes.WithLabelValues(pool, name)}
		}
	}
	return all
}

// copyCounters returns the counters of a target. The upstream is that of the source, on either
// route: the routes share copies, and workers know no routes.
func (m metrics) copyCounters(t *flight.Target) *copyCounters {
	return m.toCopies[t.Pool.ID()][cmp.Or(m.upstreams.Name(t.Object.URL), noUpstream)]
}

// redirected counts a redirect to a copy with that size. An unknown size is 0.
func (c *copyCounters) redirected(size int64) {
	c.redirects.Inc()
	c.bytes.Add(float64(size))
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
