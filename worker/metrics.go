package worker

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// Metrics counts the worker's work. Labels hold only configured pools and upstreams, and our own
// words.
type Metrics struct {
	upstreamOf func(url string) string

	messages *prometheus.CounterVec
	copies   *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	failed   *prometheus.CounterVec
	gaveUp   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	lastSuccess *prometheus.GaugeVec
	tasks       *prometheus.GaugeVec
	age         *prometheus.GaugeVec
	returned    *prometheus.CounterVec
	small       *prometheus.CounterVec
	stuck       *prometheus.CounterVec
	held        prometheus.Gauge
	window      prometheus.Gauge
	depth       *prometheus.GaugeVec
	audits      *prometheus.CounterVec
	auditPurges *prometheus.CounterVec
	refreshes   *prometheus.CounterVec
	attempts    attemptMetrics
	bridge      bridgeMetrics
	factory     promauto.Factory
}

var _ activities.Observer = (*Metrics)(nil)

// Upstreams are the configured upstreams, for labels. The zero Upstreams has none.
type Upstreams struct {
	Names []string
	// Of returns the name of the upstream that a canonical URL is below, or an empty string. It is
	// required unless Names is empty.
	Of func(url string) string
}

// noUpstream labels copies of sources that are below no upstream.
const noUpstream = "none"

// NewMetrics registers the metrics with r. Copies, and unmirrorable objects of the pools, by id,
// are counted from zero: a counter that appears at 1 never shows as an increase.
func NewMetrics(r *prometheus.Registry, pools []string, upstreams Upstreams) *Metrics {
	f := promauto.With(r)
	m := &Metrics{
		factory: f, upstreamOf: upstreams.Of,
		copies: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_copies_total",
			Help: "Copies made, by pool and by the upstream of the source.",
		}, []string{"pool", "upstream"}),
		messages: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_messages_total",
			Help: "Copy requests received, by pool (empty if not configured) and outcome.",
		}, []string{"pool", "outcome"}),
		bytes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_copied_bytes_total",
			Help: "Bytes copied, by pool and by the upstream of the source.",
		}, []string{"pool", "upstream"}),
		failed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_failed_copies_total",
			Help: "Copies that failed for good, by pool, error class and class of the source's status (none if another fault ended it).",
		}, []string{"pool", "class", "status"}),
		gaveUp: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_unmirrorable_objects_total",
			Help: "Objects that are not copied for cache.unmirrorable_ttl, because their copies kept failing in the same way, by pool and error class.",
		}, []string{"pool", "class"}),
		lastSuccess: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cloud_mirror_last_success_timestamp_seconds",
			Help: "When the dependency, temporal or sqs, last answered the worker; 0 if it never has. An empty receive is an answer.",
		}, []string{"dependency"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cloud_mirror_copy_seconds",
			Help:    "Duration of a successful StreamCopy, by pool.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
		}, []string{"pool"}),
	}
	m.tasks = f.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cloud_mirror_backlog_tasks",
		Help: "Tasks that wait for workers in Temporal, by pool; only on a bridge.",
	}, []string{"pool"})
	m.age = f.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cloud_mirror_backlog_age_seconds",
		Help: "Age of the oldest task that a client waits for, except those of large objects, by pool; only on a bridge.",
	}, []string{"pool"})
	m.returned = f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_returned_tasks_total",
		Help: "Copies that a worker handed back after they waited in vain for a connection, memory, disk or a slot, by pool. Another attempt waits again.",
	}, []string{"pool"})
	m.small = f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_small_objects_total",
		Help: "Objects that were not copied because they are smaller than the minimum size, by pool.",
	}, []string{"pool"})
	m.held = f.NewGauge(prometheus.GaugeOpts{
		Name: "cloud_mirror_held_messages",
		Help: "Copy requests that the bridge has received, and whose workflows are not started yet.",
	})
	m.window = f.NewGauge(prometheus.GaugeOpts{
		Name: "cloud_mirror_bridge_window",
		Help: "Copies that the bridge may have in flight. It shrinks while Temporal accepts workflows more slowly than usual.",
	})
	m.depth = f.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cloud_mirror_queue_messages",
		Help: "Messages in SQS, about, by queue (requests, dead) and state (visible, hidden); only on a bridge.",
	}, []string{"queue", "state"})
	m.stuck = f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_stuck_runs_total",
		Help: "Copies that the bridge terminated and started again, because no worker could continue their run, by pool.",
	}, []string{"pool"})
	names := append([]string{noUpstream}, upstreams.Names...)
	m.registerMaintenance(f, pools, names)
	m.attempts = newAttemptMetrics(f, pools)
	m.bridge = newBridgeMetrics(f)
	for _, pool := range pools {
		m.returned.WithLabelValues(pool)
		m.small.WithLabelValues(pool)
		m.seconds.WithLabelValues(pool)
		for _, upstream := range names {
			m.copies.WithLabelValues(pool, upstream)
			m.bytes.WithLabelValues(pool, upstream)
		}
		for _, class := range cache.Classes() {
			for _, status := range statusesOf(class) {
				m.failed.WithLabelValues(pool, class, status)
			}
		}
		for _, class := range activities.UnmirrorableClasses() {
			m.gaveUp.WithLabelValues(pool, class)
		}
	}
	return m
}

// Watch exports the slots of a pool, how many are used, and the number of copies that wait for a
// slot. The size, small or large, names the objects of these slots.
func (m *Metrics) Watch(pool, size string, slots *copier.Budget) {
	labels := prometheus.Labels{"pool": pool, "size": size}
	m.factory.NewGauge(prometheus.GaugeOpts{
		Name: "cloud_mirror_copy_slots", Help: "Copies that may run, by pool and size (small or large objects).", ConstLabels: labels,
	}).Set(float64(slots.Total()))
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloud_mirror_copy_slots_in_use", Help: "Copies that run, by pool and size (small or large objects).", ConstLabels: labels,
	}, func() float64 {
		used, _ := slots.Use()
		return float64(used)
	})
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloud_mirror_copies_waiting", Help: "Copies that wait for a slot, by pool and size (small or large objects).", ConstLabels: labels,
	}, func() float64 {
		_, waiting := slots.Use()
		return float64(waiting)
	})
}

// WatchMemory exports the memory that the pools of a process share for objects of a size, small or
// large.
func (m *Metrics) WatchMemory(size string, memory *copier.Memory) {
	labels := prometheus.Labels{"size": size}
	m.factory.NewGauge(prometheus.GaugeOpts{
		Name: "cloud_mirror_copy_memory_bytes", Help: "Memory that copies may use, by size (small or large objects).", ConstLabels: labels,
	}).Set(float64(memory.Total()))
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloud_mirror_copy_memory_in_use_bytes", Help: "Memory that copies use, by size (small or large objects).", ConstLabels: labels,
	}, func() float64 {
		used, _ := memory.Use()
		return float64(used)
	})
}

// HandedBack counts a copy that a worker handed back because it has to wait for its turn.
func (m *Metrics) HandedBack(pool string) { m.returned.WithLabelValues(pool).Inc() }

// TooSmall counts an object that was not copied because it is smaller than the minimum.
func (m *Metrics) TooSmall(pool string) { m.small.WithLabelValues(pool).Inc() }

// lastSuccessOf returns a function that returns the gauge of a dependency.
func (m *Metrics) lastSuccessOf(dependency string) func() prometheus.Gauge {
	return func() prometheus.Gauge { return m.lastSuccess.WithLabelValues(dependency) }
}

// Failed counts a copy that failed for good, by pool, error class and class of the source's status.
func (m *Metrics) Failed(pool, class string, status int) {
	m.failed.WithLabelValues(pool, class, statusOf(class, status)).Inc()
}

// Unmirrorable counts an object that is not copied for cache.unmirrorable_ttl.
func (m *Metrics) Unmirrorable(pool, class string) { m.gaveUp.WithLabelValues(pool, class).Inc() }

// BridgePools has the counters of the bridge start at zero, for the pools with these ids.
func (m *Metrics) BridgePools(pools []string) {
	for _, pool := range append([]string{""}, pools...) {
		for _, outcome := range queue.Outcomes() {
			m.messages.WithLabelValues(pool, string(outcome))
		}
	}
	for _, pool := range pools {
		m.stuck.WithLabelValues(pool)
	}
}

// Stuck counts a run that the bridge terminated because no worker could continue it.
func (m *Metrics) Stuck(pool string) { m.stuck.WithLabelValues(pool).Inc() }

// backlog sets the gauges of a pool's backlog.
func (m *Metrics) backlog(pool string, b cache.Backlog) {
	m.tasks.WithLabelValues(pool).Set(float64(b.Tasks))
	m.age.WithLabelValues(pool).Set(b.Age.Seconds())
}

// noBacklog removes the gauges of a pool's backlog.
func (m *Metrics) noBacklog(pool string) {
	m.tasks.DeleteLabelValues(pool)
	m.age.DeleteLabelValues(pool)
}

// Copied counts a successful StreamCopy with its bytes, and observes its duration.
func (m *Metrics) Copied(pool, source string, bytes int64, took time.Duration) {
	upstream := m.upstream(source)
	m.copies.WithLabelValues(pool, upstream).Inc()
	m.bytes.WithLabelValues(pool, upstream).Add(float64(bytes))
	m.seconds.WithLabelValues(pool).Observe(took.Seconds())
}

// upstream returns the label of a source.
func (m *Metrics) upstream(source string) string {
	if m.upstreamOf == nil {
		return noUpstream
	}
	return cmp.Or(m.upstreamOf(source), noUpstream)
}

// depths sets the depths of the queues.
func (m *Metrics) depths(requests, dead queue.Depth) {
	for name, d := range map[string]queue.Depth{"requests": requests, "dead": dead} {
		m.depth.WithLabelValues(name, "visible").Set(float64(d.Visible))
		m.depth.WithLabelValues(name, "hidden").Set(float64(d.Hidden))
	}
}
