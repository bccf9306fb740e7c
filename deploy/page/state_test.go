package page_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/page"
)

const failedStatus = enums.WORKFLOW_EXECUTION_STATUS_FAILED

func TestStateWithoutAnAnswer(t *testing.T) {
	const (
		copies = "4,711"
		queued = "815, oldest 7s"
		dead   = "3 dead letters, 1 hidden"
	)
	for name, tc := range map[string]struct {
		temporal, redis, sqs answer
		down, known, missing []string
	}{
		"all answer":       {answers, answers, answers, nil, []string{copies, queued, dead, "Answered: Temporal, redis, SQS."}, nil},
		"Temporal is down": {fails, answers, answers, []string{"Temporal did not answer: "}, []string{queued, dead, "Unknown: Temporal"}, []string{copies}},
		"Temporal hangs":   {hangs, answers, answers, []string{"Temporal did not answer: no answer within 1s"}, []string{queued, dead}, []string{copies}},
		"redis is down":    {answers, fails, answers, []string{"redis did not answer: connection refused"}, []string{copies, dead}, []string{queued}},
		"redis hangs":      {answers, hangs, answers, []string{"redis did not answer: no answer within 1s"}, []string{copies, dead}, []string{queued}},
		"SQS is down":      {answers, answers, fails, []string{"SQS did not answer: connection refused"}, []string{copies, queued}, []string{dead}},
		"SQS hangs":        {answers, answers, hangs, []string{"SQS did not answer: no answer within 1s"}, []string{copies, queued}, []string{dead}},
		"all hang": {hangs, hangs, hangs, []string{"Temporal did not", "redis did not", "SQS did not"},
			[]string{"Answered: nothing.", "s3_us-west-2", "mirror-us-west-2", "unknown dead letters"}, []string{copies, queued, dead}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.temporal, r.redis, r.sqs = tc.temporal, tc.redis, tc.sqs
			shown := text(r.get("/state"))
			require.Equal(t, len(tc.down), strings.Count(shown, "did not answer:"), shown)
			for _, want := range append(tc.down, tc.known...) {
				require.Contains(t, shown, want)
			}
			for _, unknown := range tc.missing {
				require.NotContains(t, shown, unknown)
			}
		})
	}
}

func TestStateRefreshesItself(t *testing.T) {
	r := newRig(t)
	const refresh = `http-equiv="refresh" content="10"`
	require.Contains(t, r.get("/state"), refresh)
	require.NotContains(t, r.get("/"), refresh, "the form would be emptied")
	require.Contains(t, r.get("/"), `<iframe src="/state"`)
	require.Contains(t, r.get("/page.css"), "max-width")
}

func TestFailuresByClass(t *testing.T) {
	r := newRig(t)
	r.failed = []*workflow.WorkflowExecutionInfo{
		run(t, "a", "new.example.com", "SourceStalled", failedStatus, noon.Add(-3*time.Minute)),
		run(t, "b", "<script>alert(1)</script>", "BadHTTPStatus", failedStatus, noon.Add(-time.Hour)),
		run(t, "c", "old.example.com", "SourceStalled", failedStatus, noon.Add(-2*time.Hour)),
	}
	body := r.get("/state")
	shown := text(body)
	require.Contains(t, shown, "SourceStalled 2 3 minutes ago new.example.com s3_us-west-2")
	require.Contains(t, shown, "BadHTTPStatus 1 1 hour ago <script>alert(1)</script>")
	require.NotContains(t, body, "<script>")
	query := ""
	for _, link := range links(body) {
		if u, err := url.Parse(link); err == nil && strings.Contains(u.Query().Get("query"), "SourceStalled") {
			require.Equal(t, "https://temporal.example.com/namespaces/mirror/workflows", "https://"+u.Host+u.Path)
			query = u.Query().Get("query")
		}
	}
	require.Equal(t, `WorkflowType="CopyObject" AND ExecutionStatus="Failed" AND MirrorErrorClass="SourceStalled"`, query)

	r.Admin.TemporalUI = ""
	body = r.get("/state")
	require.Contains(t, text(body), "SourceStalled 2 3 minutes ago")
	require.Equal(t, []string{"/page.css"}, links(body))
}

// TestPageSaysIfThereAreMoreFailures has as many failed runs as the page groups, and one more. Temporal
// answers a full page with a token, also if no more follow.
func TestPageSaysIfThereAreMoreFailures(t *testing.T) {
	r := newRig(t)
	for range 200 {
		r.failed = append(r.failed, run(t, "a", "example.com", "SourceStalled", failedStatus, noon))
	}
	require.NotContains(t, text(r.get("/state")), "there are more")
	r.failed = append(r.failed, r.failed[0])
	shown := text(r.get("/state"))
	require.Contains(t, shown, "SourceStalled 200 ")
	require.Contains(t, shown, "Of the last 200 failed runs; there are more.")
}

// TestReadersShareAState has many readers in five seconds, and one after them.
func TestReadersShareAState(t *testing.T) {
	r := newRig(t)
	now := noon
	r.Now = func() time.Time { return now }
	h := page.New(r.Options)
	read := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/state", nil))
		return w.Body.String()
	}
	first := read()
	now = noon.Add(4 * time.Second)
	for range 10 {
		require.Equal(t, first, read())
	}
	require.EqualValues(t, 1, r.lists.Load())
	now = noon.Add(5 * time.Second)
	require.NotEqual(t, first, read())
	require.EqualValues(t, 2, r.lists.Load())
}

// process serves the metrics of a process.
func process(t *testing.T, lines string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, lines) }))
	t.Cleanup(s.Close)
	return s.URL + "/metrics"
}

func TestFiguresOfAllProcesses(t *testing.T) {
	r := newRig(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	host := strings.TrimPrefix(gone.URL, "http://")
	r.Admin.Metrics = []string{
		process(t, `cloud_mirror_waiting_clients 5
# TYPE cloud_mirror_redirect_seconds histogram
cloud_mirror_redirect_seconds_bucket{pool="s3_us-west-2",reason="hit",le="+Inf"} 30
cloud_mirror_redirect_seconds_sum{pool="s3_us-west-2",reason="hit"} 1
cloud_mirror_redirect_seconds_count{pool="s3_us-west-2",reason="hit"} 30
cloud_mirror_breaker_open{dependency="sqs"} 1
cloud_mirror_breaker_open{dependency="redis"} 0
cloud_mirror_redirected_bytes_total{pool="s3_us-west-2",upstream="none"} 1.073741824e+12
`), process(t, `cloud_mirror_waiting_clients 2
# TYPE cloud_mirror_redirect_seconds histogram
cloud_mirror_redirect_seconds_bucket{pool="s3_us-west-2",reason="copied",le="+Inf"} 10
cloud_mirror_redirect_seconds_sum{pool="s3_us-west-2",reason="copied"} 10
cloud_mirror_redirect_seconds_count{pool="s3_us-west-2",reason="copied"} 10
# TYPE cloud_mirror_breaker_open gauge
cloud_mirror_breaker_open{dependency="sqs"} 0
`), process(t, `cloud_mirror_copied_bytes_total{pool="s3_us-west-2",upstream="none"} 1.073741824e+09
cloud_mirror_copies_total{pool="s3_us-west-2",upstream="none"} 100
cloud_mirror_copy_slots_in_use{pool="s3_us-west-2",size="small"} 6
cloud_mirror_copy_slots_in_use{pool="s3_us-west-2",size="large"} 1
`), "http://operator:hunter2@" + host + "/metrics", process(t, "<html>"),
	}
	shown := text(r.get("/state"))
	for _, want := range []string{
		"7 waiting clients", "1 open circuit breakers sqs (in 1 of 2 front ends)", "75.0 %", "1.0 GiB copied in 100 copies",
		"1000 GiB redirected to copies", "44.95 USD saved, if downloads would cross a NAT gateway",
		"2 front ends and 1 worker of admin.metrics", "4,711 7 815",
		"Metrics of " + host + " could not be read: dial tcp", "the answer has no metrics",
	} {
		require.Contains(t, shown, want)
	}
	require.NotContains(t, shown, "hunter2")
}

// TestFiguresOfANameWithAddresses lists a headless Service, whose name has the addresses of all its
// pods. A name with both families is that of the same processes twice.
func TestFiguresOfANameWithAddresses(t *testing.T) {
	r := newRig(t)
	hosts := map[string]int{}
	var mu sync.Mutex
	serve := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		hosts[request.Host]++
		fmt.Fprintln(w, "cloud_mirror_waiting_clients 5")
	})
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	answers := map[string][]string{"front-ends": {"127.0.0.1", "::1", "127.0.0.1"}, "workers": {}}
	r.Lookup = func(_ context.Context, host string) ([]string, error) {
		if all, ok := answers[host]; ok {
			return all, nil
		}
		return nil, errors.New("no such host")
	}
	r.Admin.Metrics = []string{"http://front-ends:" + port + "/metrics", "http://unknown/metrics", "http://workers/metrics"}
	shown := text(r.get("/state"))
	require.Contains(t, shown, "10 waiting clients")
	require.Contains(t, shown, "2 front ends and 0 workers of admin.metrics")
	require.Contains(t, shown, "Metrics of unknown could not be read: no such host")
	require.Contains(t, shown, "Metrics of workers could not be read: the name has no address")
	require.Equal(t, map[string]int{"front-ends:" + port: 2}, hosts)
}

// TestWorkerWithoutABridge may have no permission for the queue, so that its page does not ask SQS.
func TestWorkerWithoutABridge(t *testing.T) {
	r := newRig(t)
	require.Contains(t, text(r.get("/state")), "Answered: Temporal, redis, SQS.")
	r.Depths = nil
	shown := text(r.get("/state"))
	require.Contains(t, shown, "Answered: Temporal, redis. unknown")
	require.Contains(t, shown, "unknown requests in SQS")
	require.Contains(t, shown, "Only bridges know the queue")
	require.NotContains(t, shown, "did not answer")
}

// TestOwnFigures has a page without admin.metrics. It must not show figures that only front ends have.
func TestOwnFigures(t *testing.T) {
	r := newRig(t)
	registry := prometheus.NewRegistry()
	promauto.With(registry).NewCounterVec(prometheus.CounterOpts{Name: "cloud_mirror_copied_bytes_total"}, []string{"pool"}).
		WithLabelValues("s3_us-west-2").Add(2 << 20)
	r.Own = registry
	shown := text(r.get("/state"))
	for _, want := range []string{
		"unknown waiting clients", "unknown open circuit breakers", "2.0 MiB copied", "unknown redirected", "unknown saved",
		"Only front ends know hit rates", "Since the start of each process: of this one only",
	} {
		require.Contains(t, shown, want)
	}
}
