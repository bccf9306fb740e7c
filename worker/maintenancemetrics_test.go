package worker_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/worker"
)

func TestAuditsAndRefreshesAreCountedFromZero(t *testing.T) {
	r := prometheus.NewRegistry()
	m := worker.NewMetrics(r, []string{"s3_us-west-2"}, worker.Upstreams{
		Names: []string{"example"}, Of: func(string) string { return "example" },
	})
	series := func(metric string, want int) {
		t.Helper()
		n, err := testutil.GatherAndCount(r, "cloud_mirror_"+metric)
		require.NoError(t, err)
		require.Equal(t, want, n, metric)
	}
	const purges = `# HELP cloud_mirror_audit_purges_total Copies purged because their source had changed, by upstream (none if it has none).
# TYPE cloud_mirror_audit_purges_total counter
cloud_mirror_audit_purges_total{upstream="example"} PURGES
cloud_mirror_audit_purges_total{upstream="none"} 0
`
	for _, count := range []string{"0", "1"} {
		series("audits_total", 8)    // 2 upstreams, 4 results
		series("refreshes_total", 5) // 1 pool, 5 results
		text := strings.Replace(purges, "PURGES", count, 1)
		require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(text), "cloud_mirror_audit_purges_total"))
		m.Audited("https://example.com/a", "different")
		m.AuditPurged("https://example.com/a")
		m.Refreshed("s3_us-west-2", "refreshed")
	}
	m.Refreshed("s3_us-west-2", "another result")
	series("refreshes_total", 6) // Control
}
