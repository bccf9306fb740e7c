package system_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/calls"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/worker"
)

// known are the values of a counter's labels at the start, in the order of the labels' names. The
// counter has each combination.
type known map[string][][]string

var pool, upstream = []string{"s3_us-west-2"}, []string{"none"}

// counters returns the label sets of all counters of ours in a page of metrics.
func counters(t *testing.T, page io.Reader) map[string][]string {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(page)
	require.NoError(t, err)
	all := map[string][]string{}
	for name, f := range families {
		if f.GetType() != dto.MetricType_COUNTER || !strings.HasPrefix(name, "cloud_mirror_") {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() { // Sorted by name
				values = append(values, l.GetValue())
			}
			all[name] = append(all[name], strings.Join(values, " "))
		}
		slices.Sort(all[name])
	}
	return all
}

// combinations returns each combination of the values.
func combinations(labels [][]string) []string {
	all := []string{""}
	for _, values := range labels {
		var longer []string
		for _, prefix := range all {
			for _, v := range values {
				longer = append(longer, strings.TrimPrefix(prefix+" "+v, " "))
			}
		}
		all = longer
	}
	slices.Sort(all)
	return all
}

// requireKnown checks that the counters have exactly the known label sets.
func requireKnown(t *testing.T, got map[string][]string, want known, more map[string][]string) {
	t.Helper()
	for name, sets := range got {
		switch labels, ok := want[name]; {
		case ok:
			require.Equal(t, combinations(labels), sets, name)
		case more[name] != nil:
			slices.Sort(more[name])
			require.Equal(t, more[name], sets, name)
		default:
			require.Equal(t, []string{""}, sets, "%s has labels: add its known values to this test", name)
		}
	}
	for name := range want {
		require.Contains(t, got, name, "the counter has no series at the start")
	}
	for name := range more {
		require.Contains(t, got, name, "the counter has no series at the start")
	}
}

// operations returns each operation after its dependency.
func operations(of calls.Operations) (all []string) {
	for dependency, names := range of {
		for _, name := range append([]string{calls.Other}, names...) {
			all = append(all, dependency+" "+name)
		}
	}
	return all
}

// TestCountersOfAFreshFrontEndExist reads /metrics of a front end that has served no client: an alert
// on an increase misses a counter that is born at 1.
func TestCountersOfAFreshFrontEndExist(t *testing.T) {
	f := startFrontend(t, load(t))
	resp, err := http.Get("http://" + f.admin + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	var limits []string
	for _, l := range flight.AllLimits() {
		limits = append(limits, string(l))
	}
	requireKnown(t, counters(t, resp.Body), known{
		"cloud_mirror_backfills_total":           {pool},
		"cloud_mirror_closed_connections_total":  {{"all", "client", "slow"}},
		"cloud_mirror_copy_redirects_total":      {pool, upstream},
		"cloud_mirror_deferred_purges_total":     {pool},
		"cloud_mirror_found_bytes_total":         {pool},
		"cloud_mirror_limited_requests_total":    {limits},
		"cloud_mirror_missing_copies_total":      {pool},
		"cloud_mirror_purges_total":              {pool},
		"cloud_mirror_redirected_bytes_total":    {pool, upstream},
		"cloud_mirror_redis_pool_requests_total": {{"hit", "miss", "timeout"}},
		"cloud_mirror_refused_connections_total": {{"all", "client"}},
		"cloud_mirror_refused_requests_total":    {{"InputError", "InvalidUrl", "LoopDetected", "ResourceNotFound"}},
		"cloud_mirror_refused_tokens_total":      {{"limited", "missing", "scope", "wrong"}},
	}, map[string][]string{
		"cloud_mirror_dependency_errors_total": operations(calls.FrontEnd(cache.Commands())),
	})
}

// TestCountersOfAFreshWorkerExist is the same for a worker with a bridge.
func TestCountersOfAFreshWorkerExist(t *testing.T) {
	r := prometheus.NewRegistry()
	worker.NewMetrics(r, pool, worker.Upstreams{}).BridgePools(pool)
	of := calls.Worker(cache.Commands(), origin.Operations())
	calls.New(r, of)
	var failures []string
	for _, class := range cache.Classes() {
		statuses := []string{"none"}
		if class == string(origin.ClassBadHTTPStatus) || class == string(origin.ClassRangeRefused) {
			statuses = append(statuses, "1xx", "2xx", "3xx", "4xx", "5xx")
		}
		failures = append(failures, combinations([][]string{{class}, pool, statuses})...)
	}
	var page bytes.Buffer
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(recorder{&page}, &http.Request{Header: http.Header{}})
	requireKnown(t, counters(t, &page), known{
		"cloud_mirror_attempts_total":             {pool, {"first", "again"}},
		"cloud_mirror_audit_purges_total":         {upstream},
		"cloud_mirror_audits_total":               {activities.AuditResults(), upstream},
		"cloud_mirror_copied_bytes_total":         {pool, upstream},
		"cloud_mirror_copies_total":               {pool, upstream},
		"cloud_mirror_found_bytes_total":          {pool},
		"cloud_mirror_messages_total":             {{"dead", "failed", "handled"}, {"", pool[0]}},
		"cloud_mirror_refreshes_total":            {pool, activities.RefreshResults()},
		"cloud_mirror_returned_tasks_total":       {pool},
		"cloud_mirror_small_objects_total":        {pool},
		"cloud_mirror_source_responses_total":     {append(origin.Operations(), calls.Other), calls.StatusClasses()},
		"cloud_mirror_stuck_runs_total":           {pool},
		"cloud_mirror_sweeps_total":               {pool, {"completed", "failed"}},
		"cloud_mirror_swept_uploads_total":        {pool, {"aborted", "foreign", "owned", "young"}},
		"cloud_mirror_unmirrorable_objects_total": {activities.UnmirrorableClasses(), pool},
	}, map[string][]string{
		"cloud_mirror_dependency_errors_total": operations(of),
		"cloud_mirror_failed_attempts_total":   failures,
		"cloud_mirror_failed_copies_total":     failures,
	})
}

// recorder is a response that keeps only its body.
type recorder struct{ io.Writer }

func (recorder) Header() http.Header { return http.Header{} }
func (recorder) WriteHeader(int)     {}
