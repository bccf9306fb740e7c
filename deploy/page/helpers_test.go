package page_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/page"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// noon is the time of all pages.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

var errDown = errors.New("connection refused")

// answer is how a double behaves.
type answer int

const (
	answers answer = iota
	fails
	hangs // It ignores its context.
	denies
)

// denied is an answer of S3 to a role without the permission.
type denied struct{}

func (denied) Error() string       { return "api error AccessDenied" }
func (denied) HTTPStatusCode() int { return http.StatusForbidden }

func (a answer) wait(t *testing.T) error {
	switch a {
	case fails:
		return errDown
	case denies:
		return fmt.Errorf("head: %w", denied{})
	case hangs:
		<-t.Context().Done()
		return errDown
	default:
		return nil
	}
}

// rig has doubles of all dependencies, and the options of a page with them.
type rig struct {
	t                           *testing.T
	temporal, redis, sqs, store answer
	lists                       atomic.Int64 // Calls of ListWorkflow
	failed                      []*workflow.WorkflowExecutionInfo
	runs                        map[string]*workflow.WorkflowExecutionInfo // By workflow id.
	entries                     map[string]cache.Entry
	stored                      map[string]bool
	page.Options
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, runs: map[string]*workflow.WorkflowExecutionInfo{}, entries: map[string]cache.Entry{}, stored: map[string]bool{}}
	space := cache.NewSpace("cm", "s3_us-west-2", "", "mirror-us-west-2")
	pool := storage.Pool{Service: "s3", Region: "us-west-2", Bucket: "mirror-us-west-2"}
	r.Options = page.Options{
		Temporal: r, Namespace: "mirror", Cache: r, Own: prometheus.NewRegistry(), Version: "v1", Now: func() time.Time { return noon },
		Pools: []page.Pool{{Pool: pool, Space: space, Bucket: r}}, Prices: config.Default().Prices, S3: config.Default().S3,
		Admin: config.Admin{TemporalUI: "https://temporal.example.com/", FrontendURL: "https://mirror.example.com", Hosts: []string{"Example.com"}},
		Depths: func(context.Context) (requests, dead queue.Depth, err error) {
			return queue.Depth{Visible: 11}, queue.Depth{Visible: 3, Hidden: 1}, r.sqs.wait(t)
		},
	}
	return r
}

func (r *rig) CountWorkflow(_ context.Context, in *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	if in.GetNamespace() != "mirror" || !strings.Contains(in.GetQuery(), `TaskQueue="copy-s3_us-west-2"`) {
		return nil, errors.New("another query")
	}
	return &workflowservice.CountWorkflowExecutionsResponse{Count: 4711}, r.temporal.wait(r.t)
}

func (r *rig) ListWorkflow(_ context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	r.lists.Add(1)
	out := &workflowservice.ListWorkflowExecutionsResponse{Executions: r.failed}
	if size := int(in.GetPageSize()); len(r.failed) >= size {
		out.Executions, out.NextPageToken = r.failed[:size], []byte("next")
	}
	return out, r.temporal.wait(r.t)
}

func (r *rig) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if err := r.temporal.wait(r.t); err != nil {
		return nil, err
	}
	if r.runs[id] == nil {
		return nil, serviceerror.NewNotFound("workflow not found")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: r.runs[id]}, nil
}

func (r *rig) Get(_ context.Context, key string) (cache.Entry, error) {
	return r.entries[key], r.redis.wait(r.t)
}

func (r *rig) Backlogs(context.Context, []string) (map[string]cache.Backlog, error) {
	return map[string]cache.Backlog{"s3_us-west-2": {Tasks: 815, Age: 7 * time.Second}}, r.redis.wait(r.t)
}

func (r *rig) Head(_ context.Context, key string) (storage.Stored, error) {
	if err := r.store.wait(r.t); err != nil {
		return storage.Stored{}, err
	}
	if !r.stored[key] {
		return storage.Stored{}, storage.ErrNotFound
	}
	return storage.Stored{}, nil
}

// run returns a run of a copy with an error class.
func run(t *testing.T, id, host, class string, status enums.WorkflowExecutionStatus, closed time.Time) *workflow.WorkflowExecutionInfo {
	t.Helper()
	fields := map[string]*common.Payload{}
	for name, value := range map[string]string{
		"MirrorHost": host, "MirrorErrorClass": class, "MirrorService": "s3", "MirrorRegion": "us-west-2",
	} {
		p, err := converter.GetDefaultDataConverter().ToPayload(value)
		require.NoError(t, err)
		fields[name] = p
	}
	return &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: id, RunId: "the-run"}, Status: status,
		StartTime: timestamppb.New(closed.Add(-time.Minute)), CloseTime: timestamppb.New(closed),
		SearchAttributes: &common.SearchAttributes{IndexedFields: fields},
	}
}

// serve answers a request.
func (r *rig) serve(request *http.Request) (*http.Response, string) {
	r.t.Helper()
	w := httptest.NewRecorder()
	start := time.Now()
	page.New(r.Options).ServeHTTP(w, request)
	require.Less(r.t, time.Since(start), 2*time.Second)
	resp := w.Result()
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return resp, string(body)
}

// get returns a page.
func (r *rig) get(path string) string {
	r.t.Helper()
	resp, body := r.serve(httptest.NewRequest(http.MethodGet, path, nil))
	require.Equal(r.t, http.StatusOK, resp.StatusCode)
	return body
}

// post returns a request that sends the form.
func post(object, pool string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(url.Values{"url": {object}, "pool": {pool}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// find sends the form and returns the page.
func (r *rig) find(object string) string {
	r.t.Helper()
	resp, body := r.serve(post(object, "s3_us-west-2"))
	require.Equal(r.t, http.StatusOK, resp.StatusCode, body)
	return body
}

var (
	href = regexp.MustCompile(`href="([^"]*)"`)
	tag  = regexp.MustCompile(`<[^>]*>`)
	gaps = regexp.MustCompile(`\s+`)
)

// text returns what a page shows.
func text(body string) string {
	return gaps.ReplaceAllString(html.UnescapeString(tag.ReplaceAllString(body, " ")), " ")
}

// links returns the targets of all links of a page, unescaped.
func links(body string) (all []string) {
	for _, m := range href.FindAllStringSubmatch(body, -1) {
		all = append(all, html.UnescapeString(m[1]))
	}
	return all
}
