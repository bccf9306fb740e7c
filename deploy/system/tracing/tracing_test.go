package tracing_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/cloud-mirror/cloud-mirror/deploy/system/tracing"
)

// receiver is an OTLP receiver over HTTP.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests int
	service  string
	spans    []string // Their names, in the order of their ends
	traces   map[string]bool
	text     string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{traces: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var in collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests++
		r.text += in.String()
		for _, resource := range in.GetResourceSpans() {
			for _, a := range resource.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					r.service = a.GetValue().GetStringValue()
				}
			}
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					r.spans = append(r.spans, span.GetName())
					r.traces[string(span.GetTraceId())] = true
				}
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// TestTracing makes calls in a trace and without one. Variables switch traces on and off.
func TestTracing(t *testing.T) {
	all := []string{"SQS.ListQueues", "source GET", "root"}
	for name, tc := range map[string]struct {
		environ map[string]string
		want    []string
		service string
		err     string
	}{
		"an endpoint":              {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}, all, "default", ""},
		"an endpoint for traces":   {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL/v1/traces"}, all, "default", ""},
		"a service name":           {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SERVICE_NAME": "own"}, all, "own", ""},
		"an exporter":              {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "otlp"}, all, "default", ""},
		"no variable":              {nil, nil, "", ""},
		"disabled":                 {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SDK_DISABLED": "TRUE"}, nil, "", ""},
		"no exporter":              {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "none"}, nil, "", ""},
		"no sample":                {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_SAMPLER": "always_off"}, nil, "", ""},
		"an unknown exporter":      {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, nil, "", "OTEL_TRACES_EXPORTER is \"zipkin\", want otlp or none"},
		"an unknown protocol":      {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, nil, "", "OTEL_EXPORTER_OTLP_PROTOCOL is \"http/json\", want http/protobuf or grpc"},
		"a ratio that is honoured": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			for _, v := range []string{
				"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_SDK_DISABLED",
				"OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_EXPORTER_OTLP_PROTOCOL",
				"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_RESOURCE_ATTRIBUTES",
			} {
				t.Setenv(v, strings.Replace(tc.environ[v], "URL", r.URL, 1))
				if tc.environ[v] == "" {
					require.NoError(t, os.Unsetenv(v)) // Setenv restores it.
				}
			}
			traces, err := tracing.Open(t.Context(), "default", "1.2", zerolog.New(zerolog.NewTestWriter(t)))
			if tc.err != "" {
				require.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			if traces.Tracer() == nil {
				require.Empty(t, traces.Address())
			} else {
				require.Equal(t, r.Listener.Addr().String(), traces.Address())
			}
			call(t, traces)
			require.NoError(t, traces.Close(t.Context()))
			r.mu.Lock()
			defer r.mu.Unlock()
			require.Equal(t, tc.want, r.spans)
			require.Equal(t, tc.service, r.service)
			if tc.want == nil {
				require.Zero(t, r.requests)
				return
			}
			require.Len(t, r.traces, 1)
			require.Contains(t, r.text, "source.example")
			require.NotContains(t, r.text, "secret")
		})
	}
}

// call makes a call of each kind without a trace, and then in one.
func call(t *testing.T, traces *tracing.Tracing) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Traceparent"))
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	cfg := aws.Config{Region: "us-west-2", Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	cfg.APIOptions = append(cfg.APIOptions, traces.AWS())
	queues := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = aws.String(server.URL + "/?sig=secret") })
	calls := func(ctx context.Context) {
		_, err := queues.ListQueues(ctx, &sqs.ListQueuesInput{})
		require.NoError(t, err)
		traces.Source(ctx, "GET", "source.example", time.Now(), http.StatusOK)
	}
	calls(t.Context())
	if tracer := traces.Tracer(); tracer != nil {
		ctx, root := tracer.Start(t.Context(), "root")
		calls(ctx)
		root.End()
	}
}
