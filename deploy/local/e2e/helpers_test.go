package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// secret is in the query of every source URL. No log and no history may contain it.
const secret = "hunter2-in-the-query"

// bodyMarker is at the end of every source's body, unless a test replaces the body.
const bodyMarker = "hunter2-in-the-body"

// deadline bounds each wait for a condition.
const deadline = 60 * time.Second

// source is an origin with one object. It counts its requests. The auditor checks its objects after
// the test.
type source struct {
	*httptest.Server
	body   []byte
	ledger auditor.Ledger
	hosts  []string          // In URLs of its objects, besides its own
	except map[string]string // Checks of the auditor that the test violates, and why

	mu     sync.Mutex
	counts map[string]int // By method
}

// newSource serves size random bytes. If serve is not nil, it answers instead. n is the number of
// the request, from 1. GETs and HEADs count separately.
func newSource(t *testing.T, size int, serve func(s *source, w http.ResponseWriter, r *http.Request, n int)) *source {
	t.Helper()
	s := newUnauditedSource(t, size, serve)
	s.auditAtEnd(t)
	return s
}

// newUnauditedSource is newSource for a caller that starts the audit.
func newUnauditedSource(t *testing.T, size int, serve func(s *source, w http.ResponseWriter, r *http.Request, n int)) *source {
	t.Helper()
	s := &source{body: make([]byte, size), counts: map[string]int{}, except: map[string]string{}}
	s.ledger.Agent = agent
	if serve != nil {
		s.excepts(auditor.Fetches, "the source decides how often it must be asked")
	}
	_, _ = rand.Read(s.body)
	copy(s.body[max(0, size-len(bodyMarker)):], bodyMarker)
	s.Server = httptest.NewServer(s.ledger.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.counts[r.Method]++
		n := s.counts[r.Method]
		s.mu.Unlock()
		if serve != nil {
			serve(s, w, r, n)
			return
		}
		s.serveObject(w, r)
	})))
	t.Cleanup(s.Close)
	return s
}

// newSlowSource answers the first GET of a copy so slowly that it is still in flight when the test
// interrupts the copy. The first request for a large object is closed unread, so it does not count.
func newSlowSource(t *testing.T, size int) *source {
	t.Helper()
	slow := 1
	if size > 8*mib {
		slow = 2
	}
	s := newSource(t, size, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if r.Method == http.MethodGet && n <= slow {
			drip(s, w, r)
			return
		}
		s.serveObject(w, r)
	})
	delete(s.except, auditor.Fetches) // It serves every request
	return s
}

// drip sends the body 1 KiB at a time, every 50 ms, until the client disconnects.
func drip(s *source, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(len(s.body)))
	w.Header().Set("ETag", `"e"`)
	for i := 0; i < len(s.body); i += 1 << 10 {
		if _, err := w.Write(s.body[i : i+1<<10]); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *source) serveObject(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(len(s.body)))
	w.Header().Set("Content-Type", "application/x-test")
	w.Header().Set("ETag", `"e"`)
	if r.Method == http.MethodGet {
		_, _ = w.Write(s.body)
	}
}

func (s *source) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[method]
}

// object returns a new URL of the source, which no other test uses.
func (s *source) object() string {
	var id [8]byte
	_, _ = rand.Read(id[:])
	return s.URL + "/" + hex.EncodeToString(id[:]) + "/file.bin?sig=" + secret
}

// answer is the response of a front end.
type answer struct {
	status   int
	location string
	header   http.Header
	body     struct{ Status, URL, Msg, Err, Code, Message string }
	took     time.Duration
}

func (a answer) isCopy() bool { return a.body.Status == "present" }

func redirectURL(frontEnd int, region, object, query string) string {
	return sys.FrontEndURLs()[frontEnd] + redirectPath(region, object, query)
}

func redirectPath(region, object, query string) string {
	return "/v1/redirect/s3/" + region + "/" + url.QueryEscape(object) + query
}

func ask(t *testing.T, region, object, query string) answer {
	t.Helper()
	return do(t, http.MethodGet, redirectURL(0, region, object, query), "")
}

func do(t *testing.T, method, target, token string) answer {
	t.Helper()
	a, err := request(method, target, token)
	require.NoError(t, err)
	return a
}

func request(method, target, token string) (a answer, err error) {
	began := time.Now()
	defer func() { recordAnswer(method, target, a, err, began) }()
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		return a, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	start := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	a.status, a.location, a.header, a.took = resp.StatusCode, resp.Header.Get("Location"), resp.Header, time.Since(start)
	if len(body) > 0 {
		err = json.Unmarshal(body, &a.body)
	}
	return a, err
}

// fetch GETs a location.
func fetch(t *testing.T, location string) (status int, body []byte, header http.Header) {
	t.Helper()
	resp, err := http.Get(location)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, body, resp.Header
}

// requireCopy checks that the answer redirects to the source's bytes in the region's bucket.
func requireCopy(t *testing.T, s *source, region string, a answer) {
	t.Helper()
	require.Equal(t, 302, a.status)
	require.True(t, a.isCopy(), "%+v", a.body)
	require.True(t, strings.HasPrefix(a.location, sys.S3Endpoint(region)+"/"), a.location)
	status, body, header := fetch(t, a.location)
	require.Equal(t, 200, status, string(body[:min(len(body), 500)]))
	require.Equal(t, s.body, body)
	require.Equal(t, "application/x-test", header.Get("Content-Type"))
}

func purge(t *testing.T, region, object string) {
	t.Helper()
	target := sys.FrontEndURLs()[0] + "/v1/purge/s3/" + region + "/" + url.QueryEscape(object)
	require.Equal(t, 204, do(t, http.MethodDelete, target, stack.PurgeToken).status)
}

// postList posts a list of copies to a front end, and returns the lines of the answer.
func postList(t *testing.T, list string) []string {
	t.Helper()
	return postListTo(t, sys.FrontEndURLs()[0], list)
}

func postListTo(t *testing.T, frontEnd, list string) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, frontEnd+"/v1/copies", strings.NewReader(list))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+stack.PurgeToken)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode, string(body))
	return strings.Split(strings.TrimSpace(string(body)), "\n")
}

// workflows lists the runs of an object's workflow in a region, newest first. Temporal's list is
// eventually consistent, so workflows waits until it has want runs. More are a failure.
func workflows(t *testing.T, region, object string, want int) []*workflow.WorkflowExecutionInfo {
	t.Helper()
	u, err := url.Parse(object)
	require.NoError(t, err)
	prefix := "s3_" + region + "/" + u.Host + u.Path + "/"
	var found []*workflow.WorkflowExecutionInfo
	require.Eventually(t, func() bool {
		out, err := sys.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: "default", Query: fmt.Sprintf("WorkflowId STARTS_WITH '%s'", prefix),
		})
		require.NoError(t, err)
		found = out.GetExecutions()
		return len(found) >= want
	}, deadline, 50*time.Millisecond, "workflows of %s", prefix)
	require.Len(t, found, want)
	return found
}

// events returns a run's history. None of its events may contain the secret.
func events(t *testing.T, w *workflow.WorkflowExecutionInfo) []*history.HistoryEvent {
	t.Helper()
	iter := sys.temporal.GetWorkflowHistory(t.Context(), w.GetExecution().GetWorkflowId(), w.GetExecution().GetRunId(),
		false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var all []*history.HistoryEvent
	for iter.HasNext() {
		e, err := iter.Next()
		require.NoError(t, err)
		require.NotContains(t, e.String(), secret)
		all = append(all, e)
	}
	return all
}

// scheduled returns the names of a run's activities in the order of their scheduling. A local attempt
// counts as an activity.
func scheduled(t *testing.T, w *workflow.WorkflowExecutionInfo) (names []string) {
	t.Helper()
	for _, e := range events(t, w) {
		if name := activityOf(t, e); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func waitClosed(t *testing.T, region, object string, runs int, want enums.WorkflowExecutionStatus) *workflow.WorkflowExecutionInfo {
	t.Helper()
	var w *workflow.WorkflowExecutionInfo
	require.Eventually(t, func() bool {
		w = workflows(t, region, object, runs)[0]
		return w.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	}, deadline, 50*time.Millisecond)
	require.Equal(t, want.String(), w.GetStatus().String())
	return w
}

// waitIdle waits until no copy from the source runs. A copy also runs while it waits for a retry.
func waitIdle(t *testing.T, s *source) {
	t.Helper()
	count := func(operator string) int64 {
		query := fmt.Sprintf("ExecutionStatus %s 'Running' AND MirrorHost = '%s'", operator, s.Listener.Addr())
		out, err := sys.temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: "default", Query: query})
		require.NoError(t, err)
		return out.GetCount()
	}
	eventually(t, func() bool { return count("!=") > 0 && count("=") == 0 }, "no copy runs")
}

// metric returns the sum of a metric over all labels and the given processes.
func metric(t *testing.T, name string, processes ...string) float64 {
	t.Helper()
	sum := 0.0
	for _, p := range processes {
		sum += metricAt(t, name, sys.AdminURL(p))
	}
	return sum
}

// metricAt returns the sum of a metric over all labels, of the process with an admin listener.
func metricAt(t *testing.T, name, admin string) (sum float64) {
	t.Helper()
	_, body, _ := fetch(t, admin+"/metrics")
	require.NotContains(t, string(body), secret)
	line := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`)
	for _, m := range line.FindAllSubmatch(body, -1) {
		v, err := strconv.ParseFloat(string(m[1]), 64)
		require.NoError(t, err)
		sum += v
	}
	return sum
}

func workers() []string {
	return []string{"worker-us-west-2", "worker-us-east-1", "worker-eu-central-1"}
}

// testSeed returns the seed of a random test, and logs it. TEST_SEED repeats a failed test.
func testSeed(t *testing.T) string {
	t.Helper()
	seed := os.Getenv("TEST_SEED")
	if seed == "" {
		seed = strconv.FormatInt(time.Now().UnixNano(), 10)
	}
	t.Logf("TEST_SEED=%s", seed)
	return seed
}

func eventually(t *testing.T, f func() bool, what string) {
	t.Helper()
	require.Eventually(t, f, deadline, 20*time.Millisecond, what)
}

func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), deadline)
	t.Cleanup(cancel)
	return ctx
}
