package system

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// newRegistry returns a registry with the metrics of the Go runtime and of the process.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// registerBuild registers a gauge that tells the build of the process.
func registerBuild(r *prometheus.Registry, version string) {
	promauto.With(r).NewGauge(prometheus.GaugeOpts{
		Name:        "cloud_mirror_build_info",
		Help:        "1, by version of cloud-mirror and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}).Set(1)
}

// registerRedisPool registers the state of the connections to redis.
func registerRedisPool(r *prometheus.Registry, pool func() cache.Pool) {
	for state, of := range map[string]func(cache.Pool) int64{
		"idle": func(p cache.Pool) int64 { return p.Idle }, "used": func(p cache.Pool) int64 { return p.Open - p.Idle },
	} {
		promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cloud_mirror_redis_pool_connections", Help: "Connections to redis, by state (idle, used), without those that track changes.",
			ConstLabels: prometheus.Labels{"state": state},
		}, func() float64 { return float64(of(pool())) })
	}
	for result, of := range map[string]func(cache.Pool) uint64{
		"hit": func(p cache.Pool) uint64 { return p.Hits }, "miss": func(p cache.Pool) uint64 { return p.Misses },
		"timeout": func(p cache.Pool) uint64 { return p.Timeouts },
	} {
		promauto.With(r).NewCounterFunc(prometheus.CounterOpts{
			Name:        "cloud_mirror_redis_pool_requests_total",
			Help:        "Requests for a connection to redis, by result: hit (an idle one), miss (none was idle), timeout (waited in vain).",
			ConstLabels: prometheus.Labels{"result": result},
		}, func() float64 { return float64(of(pool())) })
	}
}

// undecodable registers a counter and returns the function that increments it.
func undecodable(r *prometheus.Registry) func() {
	return promauto.With(r).NewCounter(prometheus.CounterOpts{
		Name: "cloud_mirror_undecodable_entries_total",
		Help: "Cache entries that could not be decoded and were deleted.",
	}).Inc
}

// unreplicated registers a counter and returns the function that increments it.
func unreplicated(r *prometheus.Registry) func() {
	return promauto.With(r).NewCounter(prometheus.CounterOpts{
		Name: "cloud_mirror_unreplicated_purges_total",
		Help: "Purges that no replica of redis acknowledged within 500 ms, although there are replicas. A failover may forget them.",
	}).Inc
}

func registerNearCache(r *prometheus.Registry, c *cache.NearCache) {
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloud_mirror_redis_masters",
		Help: "Masters of redis that the front end knows: more than one in a cluster.",
	}, func() float64 {
		known, _ := c.Masters()
		return float64(known)
	})
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloud_mirror_redis_tracked_masters",
		Help: "Masters of redis that notify the front end of changes. With fewer than all, every redirect reads redis.",
	}, func() float64 {
		_, tracked := c.Masters()
		return float64(tracked)
	})
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloud_mirror_entries_in_memory",
		Help: "Cache entries held in memory.",
	}, func() float64 { return float64(c.Len()) })
}
