package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// s3Tariff counts a bucket's requests as S3 bills them.
type s3Tariff struct {
	*httptest.Server
	mu       sync.Mutex
	requests []s3Request
}

type s3Request struct {
	url string
	put bool
}

// newS3Tariff forwards to the S3 of a region. It does not count the requests of clients, whose
// queries are signed.
func newS3Tariff(t *testing.T, region string) *s3Tariff {
	t.Helper()
	to, err := url.Parse(sys.S3Endpoint(region))
	require.NoError(t, err)
	c := &s3Tariff{}
	c.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if !r.In.URL.Query().Has("X-Amz-Signature") {
				c.count(r.In)
			}
			r.SetURL(to)
			r.Out.Host = r.In.Host // The signature covers it
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(c.Close)
	return c
}

// count knows the prices of requests: PUT, COPY, POST and LIST have one, GET and all others have
// another, and DELETE is free.
func (c *s3Tariff) count(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case r.Method == http.MethodPut, r.Method == http.MethodPost, r.URL.Query().Has("list-type"), r.URL.Query().Has("uploads"):
		c.requests = append(c.requests, s3Request{r.URL.String(), true})
	case r.Method != http.MethodDelete:
		c.requests = append(c.requests, s3Request{r.URL.String(), false})
	}
}

// of counts the requests for an object. The worker also asks for its bucket and for old uploads.
func (c *s3Tariff) of(object string) (puts, gets int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		switch {
		case !strings.Contains(r.url, hashOf(object)):
		case r.put:
			puts++
		default:
			gets++
		}
	}
	return puts, gets
}

// actionsOf counts the actions of a history that Temporal Cloud bills. Heartbeats are no events.
// The local activities of one workflow task are one action. Version markers are none, and neither
// is the search attribute of versions.
func actionsOf(events []*history.HistoryEvent) (n int) {
	billed := []enums.EventType{
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enums.EVENT_TYPE_ACTIVITY_TASK_STARTED, enums.EVENT_TYPE_TIMER_STARTED,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
	}
	local := map[int64]bool{} // By the event that ended the workflow task
	for _, e := range events {
		marker, upsert := e.GetMarkerRecordedEventAttributes(), e.GetUpsertWorkflowSearchAttributesEventAttributes()
		switch {
		case marker.GetMarkerName() == "LocalActivity":
			local[marker.GetWorkflowTaskCompletedEventId()] = true
		case marker != nil && marker.GetMarkerName() != "Version":
			n++
		case upsert != nil && upsert.GetSearchAttributes().GetIndexedFields()["TemporalChangeVersion"] == nil:
			n++
		case slices.Contains(billed, e.GetEventType()):
			n++
		}
	}
	return n + len(local)
}

// TestCostOfACopy measures the defaults of prices.copy_puts, copy_gets and copy_actions, which are
// those of a small copy. A copy in parts takes a PUT for each part, and four to start, look for and
// complete the upload. It also takes a HEAD and an action more.
func TestCostOfACopy(t *testing.T) {
	counted := newS3Tariff(t, west)
	config := editedConfig(t, func(c settingsTree) { c.setEndpoint(t, west, counted.URL) })
	pause(t, stack.WorkerName(west))
	startProcess(t, "billed-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --no-bridge --config "+config))
	front := startProcess(t, "billed-frontend", sys.Binary(), strings.Fields("frontend --config "+config))
	for name, tc := range map[string]struct{ size, puts, gets, actions int }{
		"small":          {100_000, 1, 3, 4},
		"of three parts": {20 * mib, 4 + 3, 4, 6},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, tc.size, nil)
			object := s.object()
			a, err := request(http.MethodGet, front.redirectURL(west, object, ""), "")
			require.NoError(t, err)
			require.True(t, a.isCopy())
			w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			puts, gets := counted.of(object)
			require.Equal(t, tc.puts, puts, "PUT requests")
			require.Equal(t, tc.gets, gets, "GET requests")
			require.Equal(t, tc.actions, actionsOf(events(t, w)))
		})
	}
}

const scrapeInterval = "1s"

// startPrometheus starts a real Prometheus that scrapes the stack every scrapeInterval, and returns
// its URL.
func startPrometheus(t *testing.T, processes []string) string {
	t.Helper()
	// The port is free after Close, and Prometheus takes no listener.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address, dir := l.Addr().String(), t.TempDir()
	require.NoError(t, l.Close())
	targets := make([]string, len(processes))
	for i, p := range processes {
		targets[i] = strings.TrimPrefix(sys.AdminURL(p), "http://")
	}
	config, err := json.Marshal(map[string]any{
		"global":         map[string]any{"scrape_interval": scrapeInterval},
		"scrape_configs": []any{map[string]any{"job_name": "cloud-mirror", "static_configs": []any{map[string]any{"targets": targets}}}},
	})
	require.NoError(t, err)
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, config, 0o600))
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address)
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It fails if the test's context ended it.
		_ = cmd.Wait()
		log.Close()
	})
	return "http://" + address
}

// prometheusValue returns the value of a query, or -1 if it has none.
func prometheusValue(t *testing.T, address, query string) float64 {
	t.Helper()
	resp, err := http.Get(address + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return -1 // It starts.
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil || len(answer.Data.Result) == 0 {
		return -1
	}
	var value float64
	_, err = fmt.Sscan(answer.Data.Result[0].Value[1].(string), &value)
	require.NoError(t, err)
	return value
}

// saved is a part of the output of the command savings.
type saved struct {
	Period []string
	Rows   []savedRow
}

type savedRow struct {
	Pool, Upstream                                  string
	RedirectedBytes, Redirects, CopiedBytes, Copies float64
	SavedNAT                                        float64
}

// row returns the row of a pool for sources that are below no upstream, or an empty row.
func (s saved) row(region string) savedRow {
	for _, r := range s.Rows {
		if r.Pool == "s3_"+region && r.Upstream == "none" {
			return r
		}
	}
	return savedRow{}
}

func savings(t *testing.T, args ...string) (s saved) {
	t.Helper()
	out, stderr, err := cli(t, append([]string{"savings", "--json"}, args...)...)
	require.NoError(t, err, stderr)
	require.NoError(t, json.Unmarshal([]byte(out), &s))
	return s
}

// TestSavings compares the command with what clients did, by scrapes and by a real Prometheus.
func TestSavings(t *testing.T) {
	processes := append([]string{"frontend-1", "frontend-2"}, workers()...)
	var scrapes []string
	for _, p := range processes {
		scrapes = append(scrapes, "--metrics="+sys.AdminURL(p)+"/metrics")
	}
	prometheus := startPrometheus(t, processes)
	const redirects = `sum(cloud_mirror_copy_redirects_total{pool="s3_` + west + `",upstream="none"})`
	eventually(t, func() bool {
		return prometheusValue(t, prometheus, "sum(up)") == float64(len(processes)) && prometheusValue(t, prometheus, redirects) >= 0
	}, "Prometheus has scraped all processes")
	first := prometheusValue(t, prometheus, redirects)
	before := savings(t, scrapes...).row(west)

	const size, copies, times = 1 * mib, 3, 5
	for range copies {
		s := newSource(t, size, nil)
		object := s.object()
		for range times {
			requireCopy(t, s, west, ask(t, west, object, ""))
		}
		do(t, http.MethodHead, redirectURL(0, west, object, ""), "") // It transfers nothing.
	}
	after := savings(t, scrapes...).row(west)
	require.InDelta(t, copies, after.Copies-before.Copies, 0)
	require.InDelta(t, copies*size, after.CopiedBytes-before.CopiedBytes, 0)
	require.InDelta(t, copies*times, after.Redirects-before.Redirects, 0)
	require.InDelta(t, copies*times*size, after.RedirectedBytes-before.RedirectedBytes, 0)
	require.InEpsilon(t, float64(copies*(times-1)*size)/(1<<30)*.045, after.SavedNAT-before.SavedNAT, 1e-6)

	eventually(t, func() bool { return prometheusValue(t, prometheus, redirects) == first+copies*times }, "Prometheus has scraped all redirects")
	// A scrape that times out counts for up, and not for a counter.
	for _, counter := range []string{"cloud_mirror_copy_redirects_total", "cloud_mirror_copies_total"} {
		samples := "min(count_over_time(" + counter + "[1m]))"
		eventually(t, func() bool { return prometheusValue(t, prometheus, samples) >= 17 }, "there are 16 intervals of "+counter)
	}
	period := savings(t, "--prometheus="+prometheus, "--for=1m")
	require.Contains(t, period.Period[0], "by "+prometheus)
	// Prometheus extrapolates an increase to the ends of the period. It adds half an interval
	// between scrapes at the start, and 1.1 intervals at the end. Near zero it adds less.
	row := period.row(west)
	for _, amount := range []struct{ want, got float64 }{
		{copies * times, row.Redirects}, {copies * times * size, row.RedirectedBytes}, {copies, row.Copies}, {copies * size, row.CopiedBytes},
	} {
		require.GreaterOrEqual(t, amount.got, amount.want*(1-1e-6))
		require.LessOrEqual(t, amount.got, amount.want*(1+1.6/16)+1e-6)
	}
	none, stderr, err := cli(t, "savings", "--prometheus="+prometheus, "--for=1m", `--match=job="another"`)
	require.Error(t, err)
	require.Empty(t, none)
	require.Contains(t, stderr, "no data of cloud_mirror_copy_redirects_total in the last 1m")
}

// TestPromtoolAcceptsMetrics runs promtool's check of names, units and help texts.
func TestPromtoolAcceptsMetrics(t *testing.T) {
	for _, process := range []string{"frontend-1", "worker-us-west-2"} {
		_, text, _ := fetch(t, sys.AdminURL(process)+"/metrics")
		check := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
		check.Stdin = strings.NewReader(string(text))
		out, err := check.CombinedOutput()
		require.NoError(t, err, "%s: %s", process, out)
		require.Empty(t, string(out))
	}
}
