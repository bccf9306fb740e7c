package worker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/worker"
)

// samples returns the lines of the given metrics that are not zero.
func samples(t *testing.T, r *prometheus.Registry, metrics ...string) (all []string) {
	t.Helper()
	text, err := testutil.CollectAndFormat(r, expfmt.TypeTextPlain, metrics...)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") && !strings.HasSuffix(line, " 0\n") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func TestAttemptsAndSweeps(t *testing.T) {
	r := prometheus.NewRegistry()
	m := worker.NewMetrics(r, []string{"s3_us-west-2"}, worker.Upstreams{})
	metrics := []string{
		"cloud_mirror_attempts_total", "cloud_mirror_attempts_in_flight", "cloud_mirror_failed_attempts_total",
		"cloud_mirror_failed_copies_total", "cloud_mirror_found_bytes_total", "cloud_mirror_sweeps_total", "cloud_mirror_swept_uploads_total",
	}
	require.Empty(t, samples(t, r, metrics...))
	before, err := testutil.GatherAndCount(r, metrics...)
	require.NoError(t, err)

	first := m.Attempt("s3_us-west-2", false)
	m.Attempt("s3_us-west-2", true)
	first()
	m.AttemptFailed("s3_us-west-2", "BadHTTPStatus", 503)
	m.AttemptFailed("s3_us-west-2", "SourceStalled", 200)
	m.Failed("s3_us-west-2", "BadHTTPStatus", 404)
	m.Failed("s3_us-west-2", "BadHTTPStatus", 999)
	m.Found("s3_us-west-2", 7)
	m.Swept("s3_us-west-2", activities.SweepResult{Aborted: 1, Owned: 2, Young: 3, Foreign: 4}, nil)
	m.Swept("s3_us-west-2", activities.SweepResult{Aborted: 1}, errors.New("refused"))
	require.Equal(t, []string{
		`cloud_mirror_attempts_in_flight{pool="s3_us-west-2",try="again"} 1`,
		`cloud_mirror_attempts_total{pool="s3_us-west-2",try="again"} 1`,
		`cloud_mirror_attempts_total{pool="s3_us-west-2",try="first"} 1`,
		`cloud_mirror_failed_attempts_total{class="BadHTTPStatus",pool="s3_us-west-2",status="5xx"} 1`,
		`cloud_mirror_failed_attempts_total{class="SourceStalled",pool="s3_us-west-2",status="none"} 1`,
		`cloud_mirror_failed_copies_total{class="BadHTTPStatus",pool="s3_us-west-2",status="4xx"} 1`,
		`cloud_mirror_failed_copies_total{class="BadHTTPStatus",pool="s3_us-west-2",status="none"} 1`,
		`cloud_mirror_found_bytes_total{pool="s3_us-west-2"} 7`,
		`cloud_mirror_sweeps_total{pool="s3_us-west-2",result="completed"} 1`,
		`cloud_mirror_sweeps_total{pool="s3_us-west-2",result="failed"} 1`,
		`cloud_mirror_swept_uploads_total{pool="s3_us-west-2",result="aborted"} 2`,
		`cloud_mirror_swept_uploads_total{pool="s3_us-west-2",result="foreign"} 4`,
		`cloud_mirror_swept_uploads_total{pool="s3_us-west-2",result="owned"} 2`,
		`cloud_mirror_swept_uploads_total{pool="s3_us-west-2",result="young"} 3`,
	}, samples(t, r, metrics...))
	after, err := testutil.GatherAndCount(r, metrics...)
	require.NoError(t, err)
	require.Equal(t, before, after, "a series was born with its first count")
}
