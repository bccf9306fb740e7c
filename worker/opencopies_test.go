package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/cloud-mirror/cloud-mirror/worker"
)

// counterDouble counts 3 workflows, unless it fails.
type counterDouble struct {
	fails atomic.Bool
	query atomic.Value
}

func (c *counterDouble) CountWorkflowExecutions(
	_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest, _ ...grpc.CallOption,
) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	c.query.Store(r.GetQuery())
	if c.fails.Load() {
		return nil, errors.New("refused")
	}
	return &workflowservice.CountWorkflowExecutionsResponse{Count: 3}, nil
}

// TestOpenCopies counts once. A count that fails is no metric.
func TestOpenCopies(t *testing.T) {
	for name, want := range map[string][]string{
		"counted":     {`cloud_mirror_open_copies{pool="s3_us-west-2"} 3`},
		"not counted": nil,
	} {
		t.Run(name, func(t *testing.T) {
			r := prometheus.NewRegistry()
			double := &counterDouble{}
			double.fails.Store(want == nil)
			o := &worker.OpenCopies{
				Temporal: double, Namespace: "default", Pools: []string{"s3_us-west-2"},
				Metrics: worker.NewMetrics(r, nil, worker.Upstreams{}), Log: zerolog.Nop(),
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); o.Run(ctx) }()
			require.Eventually(t, func() bool { return double.query.Load() != nil }, 10*time.Second, time.Millisecond)
			require.Equal(t, "WorkflowType = 'CopyObject' AND ExecutionStatus = 'Running' AND TaskQueue = 'copy-s3_us-west-2'", double.query.Load())
			stop()
			<-ended
			require.Equal(t, want, samples(t, r, "cloud_mirror_open_copies"))
		})
	}
}
