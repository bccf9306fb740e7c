package activities_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// slowHeartbeats holds each heartbeat for a while, and counts those whose context ends meanwhile.
type slowHeartbeats struct {
	interceptor.WorkerInterceptorBase
	held chan struct{} // receives one value for each heartbeat that begins
	cut  int
}

func (s *slowHeartbeats) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &slowInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, s}
}

type slowInbound struct {
	interceptor.ActivityInboundInterceptorBase
	s *slowHeartbeats
}

func (i *slowInbound) Init(out interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(&slowOutbound{interceptor.ActivityOutboundInterceptorBase{Next: out}, i.s})
}

type slowOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
	s *slowHeartbeats
}

func (o *slowOutbound) RecordHeartbeat(ctx context.Context, details ...any) {
	o.s.held <- struct{}{}
	select {
	case <-ctx.Done():
		o.s.cut++
	case <-time.After(300 * time.Millisecond):
	}
	o.Next.RecordHeartbeat(ctx, details...)
}

// TestCopyThatFailsDuringAHeartbeatSaysWhy ends a copy while its heartbeat is in flight. The SDK
// would cancel the activity if the heartbeat failed, and the failure would become a cancellation.
func TestCopyThatFailsDuringAHeartbeatSaysWhy(t *testing.T) {
	b := newFixture(t)
	slow := &slowHeartbeats{held: make(chan struct{}, 100)}
	b.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{slow}})
	b.origin.get = func(w http.ResponseWriter, _ *http.Request) {
		<-slow.held
		w.WriteHeader(http.StatusForbidden)
	}
	_, err := b.streamCopy(t, 0)
	requireFailure(t, err, string(origin.ClassBadHTTPStatus), true)
	require.Zero(t, slow.cut, "heartbeats that ended with the copy")
}
