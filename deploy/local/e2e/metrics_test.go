package e2e

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
)

// described is a row of the page of metrics.
type described struct{ kind, of, labels string }

// describedMetrics reads the tables of deploy/METRICS.md.
func describedMetrics(t *testing.T) map[string]described {
	t.Helper()
	page, err := os.ReadFile("../../METRICS.md")
	require.NoError(t, err)
	all := map[string]described{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(cloud_mirror_\\w+)` \\| (\\w+) \\| ([^|]+) \\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		labels := strings.ReplaceAll(strings.Trim(row[4], "–"), "`", "")
		all[row[1]] = described{kind: row[2], of: row[3], labels: labels}
	}
	require.Greater(t, len(all), 50)
	return all
}

// exposed reads /metrics of a process: the type and the labels of each metric of ours.
func exposed(t *testing.T, process string) map[string]described {
	t.Helper()
	_, text, _ := fetch(t, sys.AdminURL(process)+"/metrics")
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(t, err)
	all := map[string]described{}
	for name, f := range families {
		if !strings.HasPrefix(name, "cloud_mirror_") {
			continue
		}
		var labels []string
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
			}
		}
		slices.Sort(labels)
		all[name] = described{kind: strings.ToLower(dto.MetricType_name[int32(f.GetType())]), labels: strings.Join(slices.Compact(labels), ", ")}
	}
	return all
}

// TestMetricsPageMatchesRealMetrics compares deploy/METRICS.md with /metrics of a front end and of a
// worker with a bridge. An unknown operation of a dependency would be one that the page can't tell.
func TestMetricsPageMatchesRealMetrics(t *testing.T) {
	page := describedMetrics(t)
	s := newSource(t, 1000, nil)
	requireCopy(t, s, west, ask(t, west, s.object(), ""))
	for process, of := range map[string][]string{
		"frontend-1":       {"both", "front end", "front end, bridge", "front end, codec server"},
		"worker-us-west-2": {"both", "worker", "bridge", "front end, bridge"},
	} {
		var got map[string]described
		for name, want := range page {
			if !slices.Contains(of, want.of) {
				continue
			}
			eventually(t, func() bool { got = exposed(t, process); return got[name].kind != "" }, process+" has "+name)
		}
		for name, have := range got {
			want, ok := page[name]
			require.True(t, ok, "deploy/METRICS.md lacks %s of %s", name, process)
			require.Contains(t, of, want.of, "%s has %s", process, name)
			require.Equal(t, want.kind, have.kind, name)
			require.Equal(t, want.labels, have.labels, name)
		}
	}
	for _, process := range []string{"frontend-1", "worker-us-west-2"} {
		require.Zero(t, metric(t, `cloud_mirror_dependency_seconds_count\{dependency="(?:s3|sqs|source)",operation="other"\}`, process))
	}
	require.Positive(t, metric(t, "temporal_request_total", "worker-us-west-2"), "the SDK's metrics")
	require.Positive(t, metric(t, "cloud_mirror_fetched_bytes_total", "worker-us-west-2"))
}
