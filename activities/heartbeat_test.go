package activities_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// slowHeartbeats holds each heartbeat for a while, and counts those whose context ends meanwhile.
type slowHeartbeats struct {
	interceptor.ActivityOutboundInterceptorBase
	held chan struct{} // receives one value for each heartbeat that begins
	cut  int
}

func (s *slowHeartbeats) RecordHeartbeat(ctx context.Context, details ...any) {
	s.held <- struct{}{}
	select {
	case <-ctx.Done():
		s.cut++
	case <-time.After(300 * time.Millisecond):
	}
	s.Next.RecordHeartbeat(ctx, details...)
}

// TestCopyThatFailsDuringAHeartbeatSaysWhy ends a copy while its heartbeat is in flight. The SDK
// would cancel the activity if the heartbeat failed, and the failure would become a cancellation.
func TestCopyThatFailsDuringAHeartbeatSaysWhy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	slow := &slowHeartbeats{held: make(chan struct{}, 100)}
	f.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&outbound{
		wrap: func(next interceptor.ActivityOutboundInterceptor) interceptor.ActivityOutboundInterceptor {
			slow.Next = next
			return slow
		},
	}}})
	f.origin.get = func(w http.ResponseWriter, _ *http.Request) {
		<-slow.held
		w.WriteHeader(http.StatusForbidden)
	}
	_, err := f.streamCopy(t, 0)
	requireFailure(t, err, string(origin.ClassBadHTTPStatus), true)
	require.Zero(t, slow.cut, "heartbeats that ended with the copy")
}

// TestCopyThatCannotHeartbeatKeepsItsProgress cancels a copy as the SDK does when a heartbeat
// fails, and as it does when Temporal requests the cancellation.
func TestCopyThatCannotHeartbeatKeepsItsProgress(t *testing.T) {
	for name, tc := range map[string]struct {
		cause error
		class string // Empty for a cancellation
	}{
		"heartbeat failed":       {serviceerror.NewUnavailable("connection refused"), activities.ClassHandover},
		"heartbeat timed out":    {serviceerror.NewDeadlineExceeded("context deadline exceeded"), activities.ClassHandover},
		"activity paused":        {activity.ErrActivityPaused, activities.ClassPaused},
		"activity reset":         {activity.ErrActivityReset, activities.ClassReset},
		"run terminated":         {serviceerror.NewNotFound("workflow execution already completed"), activities.ClassEnded},
		"cancellation requested": {temporal.NewCanceledError(), ""},
		"context ended":          {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.large()
			ctx, cancel := context.WithCancelCause(t.Context())
			f.env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
			f.Copier.Bucket = cancelledBucket{f.bucket, func() { cancel(tc.cause) }}
			_, err := f.copyLarge(t, f.input())
			if tc.class == "" {
				var app *temporal.ApplicationError
				require.False(t, errors.As(err, &app) && app.HasDetails(), "%v", err)
				return
			}
			requireFailure(t, err, tc.class, false)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			if tc.class == activities.ClassHandover {
				require.Contains(t, app.Message(), tc.cause.Error())
			} else {
				require.NotContains(t, app.Message(), "heartbeat")
			}
			var failure activities.Failure
			var p activities.Progress
			require.NoError(t, app.Details(&failure, &p))
			require.NotEmpty(t, p.Resume.Upload)
		})
	}
}

// cancelledBucket takes no part: the activity is cancelled first.
type cancelledBucket struct {
	*storagetest.Memory
	cancel func()
}

func (b cancelledBucket) UploadPart(ctx context.Context, _ storage.Upload, _ int32, _ storage.Body) (storage.Part, error) {
	b.cancel()
	<-ctx.Done()
	return storage.Part{}, ctx.Err()
}
