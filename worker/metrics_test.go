package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/worker"
)

// TestSmallObjectsAreCountedFromZero also shows that they are no failed copies.
func TestSmallObjectsAreCountedFromZero(t *testing.T) {
	r := prometheus.NewRegistry()
	m := worker.NewMetrics(r, []string{"s3_us-west-2", "s3_us-east-1"}, worker.Upstreams{})
	want := func(west string) {
		text := `# HELP cloud_mirror_small_objects_total Objects that were not copied because they are smaller than the minimum size, by pool.
# TYPE cloud_mirror_small_objects_total counter
cloud_mirror_small_objects_total{pool="s3_us-east-1"} 0
cloud_mirror_small_objects_total{pool="s3_us-west-2"} ` + west + "\n"
		require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(text), "cloud_mirror_small_objects_total"))
	}
	failed, err := testutil.GatherAndCount(r, "cloud_mirror_failed_copies_total")
	require.NoError(t, err)
	want("0")
	m.TooSmall("s3_us-west-2")
	want("1")
	after, err := testutil.GatherAndCount(r, "cloud_mirror_failed_copies_total")
	require.NoError(t, err)
	require.Equal(t, failed, after)
	m.Failed("s3_us-west-2", "x", 0)
	after, err = testutil.GatherAndCount(r, "cloud_mirror_failed_copies_total")
	require.NoError(t, err)
	require.Equal(t, failed+1, after, "control")
}

func TestCopiesByUpstream(t *testing.T) {
	const heads = `# HELP cloud_mirror_copied_bytes_total Bytes copied, by pool and by the upstream of the source.
# TYPE cloud_mirror_copied_bytes_total counter
cloud_mirror_copied_bytes_total{pool="s3_us-east-1",upstream="example"} 0
cloud_mirror_copied_bytes_total{pool="s3_us-east-1",upstream="none"} 0
cloud_mirror_copied_bytes_total{pool="s3_us-west-2",upstream="example"} BYTES
cloud_mirror_copied_bytes_total{pool="s3_us-west-2",upstream="none"} OTHERBYTES
# HELP cloud_mirror_copies_total Copies made, by pool and by the upstream of the source.
# TYPE cloud_mirror_copies_total counter
cloud_mirror_copies_total{pool="s3_us-east-1",upstream="example"} 0
cloud_mirror_copies_total{pool="s3_us-east-1",upstream="none"} 0
cloud_mirror_copies_total{pool="s3_us-west-2",upstream="example"} COPIES
cloud_mirror_copies_total{pool="s3_us-west-2",upstream="none"} OTHERCOPIES
`
	r := prometheus.NewRegistry()
	m := worker.NewMetrics(r, []string{"s3_us-west-2", "s3_us-east-1"}, worker.Upstreams{
		Names: []string{"example"},
		Of: func(url string) string {
			if strings.HasPrefix(url, "https://example.com/") {
				return "example"
			}
			return ""
		},
	})
	want := func(values ...string) {
		text := strings.NewReplacer(values...).Replace(heads)
		require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(text), "cloud_mirror_copies_total", "cloud_mirror_copied_bytes_total"))
	}
	want("OTHERBYTES", "0", "OTHERCOPIES", "0", "BYTES", "0", "COPIES", "0")
	m.Copied("s3_us-west-2", "https://example.com/a", 5000, time.Second)
	m.Copied("s3_us-west-2", "https://example.com/b", 6000, time.Second)
	m.Copied("s3_us-west-2", "https://elsewhere.example/a", 70, time.Second)
	want("OTHERBYTES", "70", "OTHERCOPIES", "1", "BYTES", "11000", "COPIES", "2")
}

func TestCopiesWithoutUpstreams(t *testing.T) {
	r := prometheus.NewRegistry()
	m := worker.NewMetrics(r, []string{"s3_us-west-2"}, worker.Upstreams{})
	m.Copied("s3_us-west-2", "https://example.com/a", 5000, time.Second)
	require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`# HELP cloud_mirror_copied_bytes_total Bytes copied, by pool and by the upstream of the source.
# TYPE cloud_mirror_copied_bytes_total counter
cloud_mirror_copied_bytes_total{pool="s3_us-west-2",upstream="none"} 5000
`), "cloud_mirror_copied_bytes_total"))
}

func TestMetricsFollowTheConventionsOfPrometheus(t *testing.T) {
	r := prometheus.NewRegistry()
	worker.NewMetrics(r, []string{"s3_us-west-2"}, worker.Upstreams{})
	problems, err := testutil.GatherAndLint(r)
	require.NoError(t, err)
	require.Empty(t, problems)
}
