package worker

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// heartbeatRetry is the pause before a heartbeat is sent again.
const heartbeatRetry = 100 * time.Millisecond

// patientHeartbeat is a gRPC interceptor that gives heartbeats [workflows.HeartbeatPatience]. The
// SDK bounds the call by heartbeatThrottle and cancels the activity if it fails: a Temporal that
// answers late or restarts would end all running copies. Other calls pass unchanged.
// patientHeartbeat returns a refusal at once, for example of an activity that Temporal no longer
// knows. Cancelling ctx ends the call; its deadline does not.
func patientHeartbeat(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if method != workflowservice.WorkflowService_RecordActivityTaskHeartbeat_FullMethodName || ctx.Err() != nil {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})()
	opts = append(opts, grpc.WaitForReady(true))
	for {
		err := invoker(longer, method, req, reply, cc, opts...)
		if !transient(err) {
			return err
		}
		select {
		case <-longer.Done():
			return err
		case <-time.After(heartbeatRetry):
		}
	}
}

// patience returns how long a heartbeat of the activity may take.
func patience(ctx context.Context) time.Duration {
	if !activity.IsActivity(ctx) { // Only tests send such a heartbeat.
		return workflows.HeartbeatPatience(0)
	}
	return workflows.HeartbeatPatience(activity.GetInfo(ctx).HeartbeatTimeout)
}

// transient reports whether Temporal was unavailable or overloaded, rather than refusing the call.
func transient(err error) bool {
	switch status.Code(err) { //nolint:exhaustive // All others are refusals, or success.
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded:
		return true
	}
	return false
}
