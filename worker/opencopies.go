package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

const (
	// openInterval is the time between two counts of the open copies. openTimeout bounds the counts
	// of all pools.
	openInterval = 15 * time.Second
	openTimeout  = 10 * time.Second
)

// Counter is the part of Temporal's service that counts workflows.
type Counter interface {
	// CountWorkflowExecutions returns the number of workflows that match r's query.
	CountWorkflowExecutions(
		ctx context.Context, r *workflowservice.CountWorkflowExecutionsRequest, opts ...grpc.CallOption,
	) (*workflowservice.CountWorkflowExecutionsResponse, error)
}

// OpenCopies counts for the metrics the copies of each pool whose workflow has not ended. All
// fields are required.
type OpenCopies struct {
	Temporal  Counter
	Namespace string
	Pools     []string // Ids.
	Metrics   *Metrics
	Log       zerolog.Logger
}

// Run counts until ctx ends. It logs the first error after a success. Without a count there is no
// metric: an old value would look like copies that do not end.
func (o *OpenCopies) Run(ctx context.Context) {
	ticker := time.NewTicker(openInterval)
	defer ticker.Stop()
	for failed := false; ctx.Err() == nil; {
		err := o.count(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			o.Log.Warn().Err(err).Msg("open copies not counted, so that cloud_mirror_open_copies is absent")
		}
		if failed = err != nil; failed {
			o.Metrics.bridge.open.Reset()
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (o *OpenCopies) count(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for _, pool := range o.Pools {
		reply, err := o.Temporal.CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: o.Namespace,
			Query:     fmt.Sprintf("WorkflowType = 'CopyObject' AND ExecutionStatus = 'Running' AND TaskQueue = '%s'", workflows.TaskQueue(pool)),
		})
		if err != nil {
			return fmt.Errorf("count the copies of pool %s: %w", pool, err)
		}
		o.Metrics.bridge.open.WithLabelValues(pool).Set(float64(reply.GetCount()))
	}
	return nil
}
