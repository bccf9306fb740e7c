package worker_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// heartbeatServer answers heartbeats, and the calls that a client makes when it connects.
type heartbeatServer struct {
	workflowservice.UnimplementedWorkflowServiceServer
	heartbeat func(ctx context.Context, call int64) error
	calls     atomic.Int64
}

func (s *heartbeatServer) GetSystemInfo(
	context.Context, *workflowservice.GetSystemInfoRequest,
) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (s *heartbeatServer) RecordActivityTaskHeartbeat(
	ctx context.Context, _ *workflowservice.RecordActivityTaskHeartbeatRequest,
) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	return &workflowservice.RecordActivityTaskHeartbeatResponse{}, s.heartbeat(ctx, s.calls.Add(1))
}

// RespondActivityTaskCompleted is the control: a call that keeps its deadline.
func (s *heartbeatServer) RespondActivityTaskCompleted(
	ctx context.Context, _ *workflowservice.RespondActivityTaskCompletedRequest,
) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	return &workflowservice.RespondActivityTaskCompletedResponse{}, s.heartbeat(ctx, s.calls.Add(1))
}

func dialServer(t *testing.T, s *heartbeatServer) workflowservice.WorkflowServiceClient {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, s)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
	payloads, err := codec.New(nil, func(error) {})
	require.NoError(t, err)
	c, _, err := worker.Dial(t.Context(), payloads, nil, zerolog.Nop())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c.WorkflowService()
}

// TestHeartbeats sends heartbeats with a deadline of 100 ms, as the SDK does with one of a second.
func TestHeartbeats(t *testing.T) {
	// slow does not look at its deadline: it would answer at the moment at which the client gives
	// up.
	slow := func(context.Context, int64) error {
		<-time.After(300 * time.Millisecond)
		return nil
	}
	failing := func(code codes.Code, times int64) func(context.Context, int64) error {
		return func(_ context.Context, call int64) error {
			if call <= times {
				return status.Error(code, "on purpose")
			}
			return nil
		}
	}
	for name, tc := range map[string]struct {
		heartbeat func(context.Context, int64) error
		code      codes.Code
		calls     int64
		control   codes.Code // of a call that is not patient
	}{
		"an answer that takes longer":    {slow, codes.OK, 1, codes.DeadlineExceeded},
		"Temporal restarts":              {failing(codes.Unavailable, 3), codes.OK, 4, codes.Unavailable},
		"Temporal limits the rate":       {failing(codes.ResourceExhausted, 3), codes.OK, 4, codes.ResourceExhausted},
		"the activity has another owner": {failing(codes.NotFound, 3), codes.NotFound, 1, codes.NotFound},
		"at once":                        {failing(codes.OK, 0), codes.OK, 1, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			d := &heartbeatServer{heartbeat: tc.heartbeat}
			c := dialServer(t, d)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := c.RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{})
			require.Equal(t, tc.code, codeOf(err), "%v", err)
			require.Equal(t, tc.calls, d.calls.Load())

			d.calls.Store(0)
			ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err = c.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{})
			require.Equal(t, tc.control, codeOf(err), "%v", err)
		})
	}
}

// codeOf returns the code of an error of the SDK's client.
func codeOf(err error) codes.Code {
	if with, ok := err.(interface{ Status() *status.Status }); ok {
		return with.Status().Code()
	}
	return status.Code(err)
}

func TestHeartbeatEndsWithItsActivity(t *testing.T) {
	arrived := make(chan struct{})
	c := dialServer(t, &heartbeatServer{heartbeat: func(ctx context.Context, _ int64) error {
		close(arrived)
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	began := time.Now()
	_, err := c.RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{})
	require.Error(t, err)
	require.Less(t, time.Since(began), 5*time.Second, "the patience of a heartbeat is 10 s")
}
