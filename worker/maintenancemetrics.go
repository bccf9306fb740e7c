package worker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// registerMaintenance registers the counters of audits and refreshes, from zero. The upstreams
// include [noUpstream].
func (m *Metrics) registerMaintenance(f promauto.Factory, pools, upstreams []string) {
	m.audits = f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_audits_total",
		Help: "Comparisons of a source with its copy, by upstream (none if it has none) and result (same, different, gone, unknown).",
	}, []string{"upstream", "result"})
	m.auditPurges = f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_audit_purges_total",
		Help: "Copies purged because their source had changed, by upstream (none if it has none).",
	}, []string{"upstream"})
	m.refreshes = f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_refreshes_total",
		Help: "Tries to keep a copy for another lifespan, by pool and result (refreshed, early, replaced, unsupported, failed).",
	}, []string{"pool", "result"})
	for _, upstream := range upstreams {
		m.auditPurges.WithLabelValues(upstream)
		for _, result := range activities.AuditResults() {
			m.audits.WithLabelValues(upstream, result)
		}
	}
	for _, pool := range pools {
		for _, result := range activities.RefreshResults() {
			m.refreshes.WithLabelValues(pool, result)
		}
	}
}

// Audited counts an audit, by result and by the upstream of the source.
func (m *Metrics) Audited(source, result string) {
	m.audits.WithLabelValues(m.upstream(source), result).Inc()
}

// AuditPurged counts a copy that was purged because its source had changed.
func (m *Metrics) AuditPurged(source string) {
	m.auditPurges.WithLabelValues(m.upstream(source)).Inc()
}

// Refreshed counts a refresh, by pool and result.
func (m *Metrics) Refreshed(pool, result string) { m.refreshes.WithLabelValues(pool, result).Inc() }
