package tracing_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/tracing"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// temporalDouble keeps the headers of the workflow that starts.
type temporalDouble struct {
	workflowservice.UnimplementedWorkflowServiceServer
	started chan *commonpb.Header
}

func (d *temporalDouble) GetSystemInfo(
	context.Context, *workflowservice.GetSystemInfoRequest,
) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (d *temporalDouble) StartWorkflowExecution(
	_ context.Context, in *workflowservice.StartWorkflowExecutionRequest,
) (*workflowservice.StartWorkflowExecutionResponse, error) {
	d.started <- in.GetHeader()
	return &workflowservice.StartWorkflowExecutionResponse{RunId: "run"}, nil
}

// dial connects to the double.
func (d *temporalDouble) dial(t *testing.T, traced func(*client.Options)) client.Client {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, d)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
	payloads, err := codec.New(nil, func(error) {})
	require.NoError(t, err)
	c, _, err := worker.Dial(t.Context(), payloads, nil, zerolog.Nop(), traced)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// newSQS returns a server that delivers each message once, with the attributes that a receive names.
func newSQS(t *testing.T) string {
	t.Helper()
	type message struct {
		MessageID     string `json:"MessageId"`
		ReceiptHandle string
		Body          string
		MD5OfBody     string
		Attributes    map[string]json.RawMessage `json:"MessageAttributes"`
	}
	var mu sync.Mutex
	var waiting []message
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			MessageBody           string
			MessageAttributes     map[string]json.RawMessage
			MessageAttributeNames []string
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out := map[string]any{"QueueUrl": "http://" + r.Host + "/queue"}
		mu.Lock()
		defer mu.Unlock()
		switch r.Header.Get("X-Amz-Target") {
		case "AmazonSQS.SendMessage":
			sum := md5.Sum([]byte(in.MessageBody))
			m := message{"m", "r", in.MessageBody, hex.EncodeToString(sum[:]), in.MessageAttributes}
			waiting = append(waiting, m)
			out = map[string]any{"MessageId": "m", "MD5OfMessageBody": m.MD5OfBody}
		case "AmazonSQS.ReceiveMessage":
			for _, m := range waiting {
				for name := range m.Attributes {
					if !slices.Contains(in.MessageAttributeNames, name) {
						delete(m.Attributes, name)
					}
				}
			}
			out, waiting = map[string]any{"Messages": waiting}, nil
		}
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestOneTrace follows a request through all parts in this process: the front end, its message, the
// bridge, the workflow, and the calls of an activity. Temporal, SQS and S3 are doubles.
func TestOneTrace(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	r := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	traces, err := tracing.Open(t.Context(), "test", "1", zerolog.New(zerolog.NewTestWriter(t)))
	require.NoError(t, err)
	traced, err := worker.Tracing(traces.Tracer())
	require.NoError(t, err)

	empty := httptest.NewServer(http.NotFoundHandler()) // The bucket, and the source
	defer empty.Close()
	cfg := aws.Config{Region: "us-west-2", Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	cfg.APIOptions = append(cfg.APIOptions, traces.AWS())
	pool := storage.Pool{Service: "s3", Region: "us-west-2", Bucket: "mirror", Endpoint: empty.URL, PathStyle: true, PresignFor: time.Hour}
	bucket := storage.Open(cfg, pool)
	sources, err := origin.New(origin.Config{
		Allowed: []string{"http://127.0.0.1:*/"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Trace: traces.Source,
	})
	require.NoError(t, err)
	sealer, err := seal.New([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	require.NoError(t, err)
	q := queue.Open(cfg, "us-west-2", newSQS(t), "queue", 5*time.Second)
	source := empty.URL + "/a.zip?sig=secret"

	// The front end
	space := cache.NewSpace(cache.DefaultPrefix, pool.ID(), "", pool.Bucket)
	entries, registry := &cachetest.Memory{}, prometheus.NewRegistry()
	front := frontend.New(frontend.Options{
		Entries: entries, Admit: sources.Admit, MaxWaitLimit: time.Minute, CacheEntries: 10, CacheMemory: 1 << 20,
		Log: zerolog.Nop(), Registry: registry, Tracer: traces.Tracer(),
		Flights: flight.NewGroup(flight.Options{
			Pools: []*flight.Pool{{Pool: pool, Bucket: bucket, Space: space}},
			Cache: entries, Watcher: entries, Queue: q, Sealer: sealer, Rules: cachetest.Rules(), MaxWaiters: 10, MaxWaitersPerObject: 10,
			Breakers: flight.NewBreakers(registry, zerolog.Nop()), Log: zerolog.Nop(), Registry: registry, Owner: "test",
		}),
	})
	ask := func(parent string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/redirect/s3/us-west-2/"+url.QueryEscape(source), nil)
		req.Header.Set("Traceparent", "00-"+parent+"-00f067aa0ba902b7-01")
		req.Header.Set("Tracestate", "vendor=secret") // A client could make it large.
		w := httptest.NewRecorder()
		front.ServeHTTP(w, req)
		require.Equal(t, http.StatusFound, w.Code)
		return w
	}
	require.NotContains(t, ask(trace).Header().Get("Cache-Status"), "hit")
	object := storage.Object{Service: "s3", Region: "us-west-2", URL: source}
	require.NoError(t, entries.Put(t.Context(), space.Key(object.Hash()), cache.AnyGeneration, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	for range 2 { // By the router, and from memory
		require.Contains(t, ask(strings.Repeat("5", 32)).Header().Get("Cache-Status"), "hit")
	}

	// The bridge
	temporal := &temporalDouble{started: make(chan *commonpb.Header, 1)}
	c := temporal.dial(t, traced)
	ctx, stop := context.WithCancel(t.Context())
	receiving := make(chan struct{})
	go func() {
		defer close(receiving)
		(&queue.Receiver{
			Queue: q, Receivers: 1, Intake: 10, VisibilityTimeout: time.Minute, Received: func(time.Time, error) {}, Held: func(int) {},
			Report: func(queue.Outcome, queue.Request, error) {},
			Handle: func(ctx context.Context, r queue.Request) error {
				o, err := sealer.Open(seal.Object{Service: "s3", Region: "us-west-2", URL: r.URL, Query: r.SealedQuery, Hash: r.Hash})
				if err != nil {
					return err
				}
				return worker.StartCopy(ctx, c, workflows.CopyObjectInput{Source: sealer.Seal(o)}, true)
			},
		}).Run(ctx)
	}()
	header := <-temporal.started
	require.Contains(t, header.String(), trace, "control")
	require.NotContains(t, header.String(), "secret")
	stop()
	<-receiving

	// The worker
	var suite testsuite.WorkflowTestSuite
	suite.SetHeader(header)
	env := suite.NewTestWorkflowEnvironment()
	var o client.Options
	traced(&o)
	intercepts, ok := o.Interceptors[0].(interceptor.WorkerInterceptor)
	require.True(t, ok)
	env.SetWorkerOptions(sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{intercepts}})
	env.RegisterActivityWithOptions(func(ctx context.Context) error {
		_, err := bucket.Head(ctx, object.Key())
		require.ErrorIs(t, err, storage.ErrNotFound)
		_, err = sources.First(ctx, source)
		require.ErrorContains(t, err, "404")
		return nil
	}, activity.RegisterOptions{Name: "StreamCopy"})
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		return workflow.ExecuteActivity(ctx, "StreamCopy").Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "CopyObject"})
	env.ExecuteWorkflow("CopyObject")
	require.NoError(t, env.GetWorkflowError())

	require.NoError(t, traces.Close(t.Context()))
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.spans)
	require.Equal(t, []string{
		"GET /v1/redirect", "RunActivity:StreamCopy", "RunWorkflow:CopyObject", "S3.HeadObject", "S3.HeadObject", "SQS.GetQueueUrl",
		"SQS.SendMessage", "StartActivity:StreamCopy", "StartWorkflow:CopyObject", "source GET",
	}, r.spans, "hits, receives and deletions have none")
	require.Len(t, r.traces, 1)
	id, err := hex.DecodeString(trace)
	require.NoError(t, err)
	require.True(t, r.traces[string(id)])
	require.NotContains(t, r.text, "secret")
	require.Contains(t, r.text, object.Key(), "a control")
}
