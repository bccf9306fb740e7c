package e2e

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// traceReceiver is an OTLP receiver. It keeps the names of spans by trace.
type traceReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string][]string
	text  string
}

func newTraceReceiver(t *testing.T) *traceReceiver {
	t.Helper()
	r := &traceReceiver{spans: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var in collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.text += in.String()
		for _, resource := range in.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					id := hex.EncodeToString(span.GetTraceId())
					r.spans[id] = append(r.spans[id], span.GetName())
				}
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// of returns the names of a trace's spans, sorted, each once.
func (r *traceReceiver) of(trace string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(r.spans[trace])))
}

// lines returns the messages of a process's log lines with the request's id.
func (p *process) lines(t *testing.T, id string) (messages []string) {
	t.Helper()
	for _, line := range p.logged(t) {
		var fields struct {
			RequestID string `json:"request_id"`
			Object    string
			Message   string
		}
		if json.Unmarshal(line, &fields) == nil && fields.RequestID == id {
			require.NotEmpty(t, fields.Object+fields.Message)
			messages = append(messages, fields.Message)
		}
	}
	return messages
}

// TestOneRequestIsFollowed follows one request through logs and one trace, from the front end to the
// source and S3. A second copy fails its first attempt. Hits have neither id nor trace.
func TestOneRequestIsFollowed(t *testing.T) {
	receiver := newTraceReceiver(t)
	for _, w := range workers() {
		pause(t, w)
	}
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if strings.Contains(r.URL.Path, "flaky") && n == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		require.Empty(t, r.Header.Get("Traceparent"), "the source learns no trace")
		s.serveObject(w, r)
	})
	variables := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + receiver.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}
	worker := startProcess(t, "traced-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --config "+sys.ConfigPath()), variables...)
	frontEnd := startProcess(t, "traced-frontend", sys.Binary(), strings.Fields("frontend --config "+sys.ConfigPath()), variables...)
	request := func(object, id, trace string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, frontEnd.redirectURL(west, object, ""), nil)
		require.NoError(t, err)
		req.Header.Set("X-Request-Id", id)
		req.Header.Set("Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		resp, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusFound, resp.StatusCode)
		return resp
	}
	const first, second, third = "4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736", "6bf92f3577b34da6a3ce929d0e0e4736"
	object := s.object()
	require.Equal(t, "r-1", request(object, "r-1", first).Header.Get("X-Request-Id"))
	require.Contains(t, frontEnd.lines(t, "r-1"), "copy requested")
	eventually(t, func() bool { return slices.Contains(worker.lines(t, "r-1"), "copy completed") }, "the worker logs the copy")

	run := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	out, err := sys.temporal.DescribeWorkflowExecution(t.Context(), run.GetExecution().GetWorkflowId(), "")
	require.NoError(t, err)
	var memo string
	require.NoError(t, converter.GetDefaultDataConverter().FromPayload(
		out.GetWorkflowExecutionInfo().GetMemo().GetFields()["RequestID"], &memo))
	require.Equal(t, "r-1", memo)

	want := []string{
		"GET /v1/redirect", "RunActivity:HeadSource", "RunActivity:StreamCopy", "RunActivity:UpdateCache", "RunWorkflow:CopyObject",
		"S3.HeadObject", "S3.PutObject", "SQS.SendMessage", "StartWorkflow:CopyObject", "source GET",
	}
	eventually(t, func() bool {
		found := receiver.of(first)
		return !slices.ContainsFunc(want, func(name string) bool { return !slices.Contains(found, name) })
	}, "one trace has all parts")

	require.Empty(t, request(object, "r-2", second).Header.Get("X-Request-Id"), "a hit")
	flaky := strings.Replace(s.object(), "/file.bin", "/flaky.bin", 1)
	require.Equal(t, "r-3", request(flaky, "r-3", third).Header.Get("X-Request-Id"))
	eventually(t, func() bool { return slices.Contains(worker.lines(t, "r-3"), "copy completed") }, "the worker logs the second copy")
	require.Contains(t, worker.lines(t, "r-3"), "attempt failed")
	require.NotContains(t, worker.lines(t, "r-1"), "attempt failed")
	eventually(t, func() bool { return slices.Contains(receiver.of(third), "RunWorkflow:CopyObject") }, "the second copy has a trace")
	frontEnd.terminate(t) // It sends all spans.
	worker.terminate(t)
	require.Empty(t, receiver.of(second), "a hit has no span")
	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	require.Len(t, receiver.spans, 2, "no call without a trace has a span")
	require.NotContains(t, receiver.text, secret)
	require.Contains(t, receiver.text, hashOf(object), "a control")
}
