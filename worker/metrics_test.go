package worker_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/worker"
)

// TestSmallObjectsAreCountedFromZero also shows that they are no failed copies.
func TestSmallObjectsAreCountedFromZero(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := worker.NewMetrics(registry, []string{"s3_us-west-2", "s3_us-east-1"})
	counted := func(name string) (series int, total float64) {
		families, err := registry.Gather()
		require.NoError(t, err)
		for _, f := range families {
			if f.GetName() != name {
				continue
			}
			for _, m := range f.GetMetric() {
				series++
				total += m.GetCounter().GetValue()
			}
		}
		return series, total
	}
	series, total := counted("cloud_mirror_small_objects_total")
	require.Equal(t, 2, series, "one for each pool")
	require.Zero(t, total)
	m.TooSmall("s3_us-west-2")
	_, total = counted("cloud_mirror_small_objects_total")
	require.EqualValues(t, 1, total)

	_, total = counted("cloud_mirror_failed_copies_total")
	require.Zero(t, total)
	m.Failed("s3_us-west-2", "x")
	_, total = counted("cloud_mirror_failed_copies_total")
	require.EqualValues(t, 1, total, "control")
}
