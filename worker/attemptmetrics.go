package worker

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// noStatus is the class of the source's status if the failure has none.
const noStatus = "none"

// statusesOf returns the classes of statuses with which an error class is counted.
func statusesOf(class string) []string {
	switch origin.Class(class) {
	case origin.ClassBadHTTPStatus, origin.ClassRangeRefused:
		return []string{noStatus, "1xx", "2xx", "3xx", "4xx", "5xx"}
	default:
		return []string{noStatus}
	}
}

// statusOf returns the class of a failure's status.
func statusOf(class string, status int) string {
	if len(statusesOf(class)) == 1 || status < 100 || status > 599 {
		return noStatus
	}
	return strconv.Itoa(status/100) + "xx"
}

// The tries of cloud_mirror_attempts_in_flight.
const (
	tryFirst = "first"
	tryAgain = "again"
)

// attemptMetrics counts attempts, and the findings of sweeps and looks into buckets.
type attemptMetrics struct {
	started  *prometheus.CounterVec
	inFlight *prometheus.GaugeVec
	failed   *prometheus.CounterVec
	found    *prometheus.CounterVec
	sweeps   *prometheus.CounterVec
	uploads  *prometheus.CounterVec
}

// newAttemptMetrics registers the metrics. All known label sets start at zero.
func newAttemptMetrics(f promauto.Factory, pools []string) attemptMetrics {
	m := attemptMetrics{
		started: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_attempts_total",
			Help: "Attempts of copies that workers started, by pool and try (first, again).",
		}, []string{"pool", "try"}),
		inFlight: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cloud_mirror_attempts_in_flight",
			Help: "Attempts of copies that run or wait for a slot in this worker, by pool and try (first, again).",
		}, []string{"pool", "try"}),
		failed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_failed_attempts_total",
			Help: "Attempts of copies that failed, by pool, error class and class of the source's status (none if another fault ended it).",
		}, []string{"pool", "class", "status"}),
		found: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_found_bytes_total",
			Help: "Sizes of copies that were requested and that the bucket had already, by pool.",
		}, []string{"pool"}),
		sweeps: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_sweeps_total",
			Help: "Sweeps of unfinished uploads, by pool and result (completed, failed).",
		}, []string{"pool", "result"}),
		uploads: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cloud_mirror_swept_uploads_total",
			Help: "Unfinished uploads that sweeps found, by pool and result (aborted, owned, young, foreign).",
		}, []string{"pool", "result"}),
	}
	for _, pool := range pools {
		for _, try := range []string{tryFirst, tryAgain} {
			m.started.WithLabelValues(pool, try)
			m.inFlight.WithLabelValues(pool, try)
		}
		for _, class := range cache.Classes() {
			for _, status := range statusesOf(class) {
				m.failed.WithLabelValues(pool, class, status)
			}
		}
		m.found.WithLabelValues(pool)
		for _, result := range []string{"completed", "failed"} {
			m.sweeps.WithLabelValues(pool, result)
		}
		m.swept(pool, activities.SweepResult{})
	}
	return m
}

func (m attemptMetrics) swept(pool string, found activities.SweepResult) {
	for result, n := range map[string]int{
		"aborted": found.Aborted, "owned": found.Owned, "young": found.Young, "foreign": found.Foreign,
	} {
		m.uploads.WithLabelValues(pool, result).Add(float64(n))
	}
}

// Attempt counts an attempt that starts, and its end.
func (m *Metrics) Attempt(pool string, again bool) (ended func()) {
	try := tryFirst
	if again {
		try = tryAgain
	}
	m.attempts.started.WithLabelValues(pool, try).Inc()
	inFlight := m.attempts.inFlight.WithLabelValues(pool, try)
	inFlight.Inc()
	return inFlight.Dec
}

// AttemptFailed counts an attempt that failed.
func (m *Metrics) AttemptFailed(pool, class string, status int) {
	m.attempts.failed.WithLabelValues(pool, class, statusOf(class, status)).Inc()
}

// Found counts a copy that the bucket had already.
func (m *Metrics) Found(pool string, bytes int64) {
	m.attempts.found.WithLabelValues(pool).Add(float64(bytes))
}

// Swept counts a sweep.
func (m *Metrics) Swept(pool string, found activities.SweepResult, err error) {
	result := "completed"
	if err != nil {
		result = "failed"
	}
	m.attempts.sweeps.WithLabelValues(pool, result).Inc()
	m.attempts.swept(pool, found)
}
