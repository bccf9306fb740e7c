package calls_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/system/calls"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// series returns the value of a counter, or the number of observations of a histogram, by the values
// of its labels.
func series(t *testing.T, r *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += " " + l.GetValue()
			}
			if f.GetType() == dto.MetricType_HISTOGRAM {
				all[labels] = float64(m.GetHistogram().GetSampleCount())
			} else {
				all[labels] = m.GetCounter().GetValue()
			}
		}
	}
	require.NotEmpty(t, all, name)
	return all
}

const (
	seconds = "cloud_mirror_dependency_seconds"
	failed  = "cloud_mirror_dependency_errors_total"
)

// TestEachOperationStartsAtZero also shows which series exist.
func TestEachOperationStartsAtZero(t *testing.T) {
	r := prometheus.NewRegistry()
	calls.New(r, calls.Operations{"redis": {"get"}, "source": {"GET"}})
	want := map[string]float64{" redis get": 0, " redis other": 0, " source GET": 0, " source other": 0}
	require.Equal(t, want, series(t, r, seconds))
	require.Equal(t, want, series(t, r, failed))
	require.Len(t, series(t, r, "cloud_mirror_source_responses_total"), 2*len(calls.StatusClasses()))
}

func TestCommandsAndRequests(t *testing.T) {
	r := prometheus.NewRegistry()
	c := calls.New(r, calls.Operations{"redis": {"get"}, "source": {"GET"}})
	c.OnCommand("get", time.Second, nil)
	c.OnCommand("get", time.Second, errors.New("refused"))
	c.OnCommand("get", time.Second, context.Canceled)
	c.OnCommand("role", time.Second, nil)
	for _, status := range []int{200, 206, 302, 404, 503, 700} {
		c.OnRequest("GET", time.Second, status, nil)
	}
	c.OnRequest("GET", time.Second, 0, errors.New("refused"))
	c.OnRequest("GET", time.Second, 0, context.Canceled)
	c.OnFetched(5)
	c.OnFetched(7)
	require.Equal(t, map[string]float64{" redis get": 2, " redis other": 1, " source GET": 7, " source other": 0}, series(t, r, seconds))
	require.Equal(t, map[string]float64{" redis get": 1, " redis other": 0, " source GET": 1, " source other": 0}, series(t, r, failed))
	require.Equal(t, map[string]float64{"": 12}, series(t, r, "cloud_mirror_fetched_bytes_total"))
	responses := series(t, r, "cloud_mirror_source_responses_total")
	require.Equal(t, map[string]float64{
		" GET 2xx": 2, " GET 3xx": 1, " GET 4xx": 1, " GET 5xx": 1, " GET none": 1, " GET other": 1,
		" other 2xx": 0, " other 3xx": 0, " other 4xx": 0, " other 5xx": 0, " other none": 0, " other other": 0,
	}, responses)
}

// TestAWS counts each attempt of the SDK. A missing object is no error, and a presigned URL is no
// call.
func TestAWS(t *testing.T) {
	var status int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	r := prometheus.NewRegistry()
	c := calls.New(r, calls.FrontEnd(nil))
	cfg := aws.Config{Region: "us-west-2", Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	cfg.APIOptions = append(cfg.APIOptions, c.AWS())
	pool := storage.Pool{Service: "s3", Region: "us-west-2", Bucket: "mirror", Endpoint: server.URL, PathStyle: true, PresignFor: time.Hour}
	bucket := storage.Open(cfg, pool).FailFast()
	head := func(answer int) error {
		status = answer
		_, err := bucket.Head(t.Context(), "key")
		return err
	}
	require.NoError(t, head(200))
	require.ErrorIs(t, head(404), storage.ErrNotFound)
	_, err := bucket.Location(t.Context(), http.MethodGet, "key", time.Time{})
	require.NoError(t, err)
	require.InDelta(t, 2, series(t, r, seconds)[" s3 HeadObject"], 0)
	require.InDelta(t, 0, series(t, r, failed)[" s3 HeadObject"], 0)
	require.InDelta(t, 0, series(t, r, seconds)[" s3 other"], 0, "presigning is a call")
	require.Error(t, head(500))
	require.InDelta(t, 2, series(t, r, failed)[" s3 HeadObject"], 0, "two attempts")

	status = 500
	q := queue.Open(cfg, "us-west-2", server.URL, "name", time.Second)
	require.Error(t, q.Send(t.Context(), queue.Request{Pool: "s3_us-west-2", URL: "https://example.com/"}))
	require.InDelta(t, 2, series(t, r, failed)[" sqs GetQueueUrl"], 0)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	before := series(t, r, seconds)
	_, err = bucket.Head(cancelled, "key")
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, before, series(t, r, seconds))
}
