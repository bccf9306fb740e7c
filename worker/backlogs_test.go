package worker_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/worker"
)

// queues are the statistics of task queues, by name and type.
type queues map[string]*workflowservice.DescribeTaskQueueResponse

func (q queues) DescribeTaskQueue(
	_ context.Context, r *workflowservice.DescribeTaskQueueRequest, _ ...grpc.CallOption,
) (*workflowservice.DescribeTaskQueueResponse, error) {
	if r.GetNamespace() != "default" || !r.GetReportStats() {
		return nil, errors.New("wrong request")
	}
	reply, ok := q[r.GetTaskQueue().GetName()+" "+r.GetTaskQueueType().String()]
	if !ok {
		return nil, errors.New("down")
	}
	return reply, nil
}

func stats(tasks int64, age time.Duration, rate float32) *taskqueue.TaskQueueStats {
	return &taskqueue.TaskQueueStats{
		ApproximateBacklogCount: tasks, ApproximateBacklogAge: durationpb.New(age), TasksDispatchRate: rate,
	}
}

func described(s *taskqueue.TaskQueueStats, byPriority map[int32]*taskqueue.TaskQueueStats) *workflowservice.DescribeTaskQueueResponse {
	return &workflowservice.DescribeTaskQueueResponse{Stats: s, StatsByPriorityKey: byPriority}
}

const (
	newTasks   = "copy-s3_us-west-2 " + "Workflow"
	smallTasks = "copy-s3_us-west-2 " + "Activity"
	largeTasks = "copy-s3_us-west-2-large " + "Activity"
)

func TestBacklogOfAPool(t *testing.T) {
	require.Equal(t, "Workflow", enums.TASK_QUEUE_TYPE_WORKFLOW.String())
	all := queues{
		newTasks: described(stats(10, time.Hour, 1.5), map[int32]*taskqueue.TaskQueueStats{
			1: stats(1, time.Second, 0), 3: stats(4, 5*time.Second, 0), 5: stats(5, time.Hour, 0), // 5 are lists.
		}),
		smallTasks: described(stats(200, 7*time.Second, 2), nil), // An older server.
		largeTasks: described(stats(3000, 2*time.Hour, 0.5), nil),
	}
	waiting := map[string]time.Duration{}
	b := &worker.Backlogs{Temporal: all, Namespace: "default", Waiting: func(pool string) (int64, time.Duration) {
		return int64(len(waiting)), waiting[pool]
	}}
	got, err := b.Measure(t.Context(), "s3_us-west-2")
	require.NoError(t, err)
	require.Equal(t, cache.Backlog{Tasks: 3210, Age: 7 * time.Second, Rate: 4}, got)

	all[smallTasks] = described(stats(0, 0, 0), nil)
	got, err = b.Measure(t.Context(), "s3_us-west-2")
	require.NoError(t, err)
	require.Equal(t, 5*time.Second, got.Age)

	waiting["s3_us-west-2"] = 9 * time.Second
	got, err = b.Measure(t.Context(), "s3_us-west-2")
	require.NoError(t, err)
	require.Equal(t, cache.Backlog{Tasks: 3011, Age: 9 * time.Second, Rate: 2}, got, "messages of the bridge count too")

	delete(all, largeTasks)
	_, err = b.Measure(t.Context(), "s3_us-west-2")
	require.EqualError(t, err, "describe task queue copy-s3_us-west-2-large: down")
}

// TestBacklogsArePublished has a pool with a known backlog, and a pool with an unknown backlog.
func TestBacklogsArePublished(t *testing.T) {
	registry := prometheus.NewRegistry()
	var mu sync.Mutex
	published := map[string]cache.Backlog{}
	b := &worker.Backlogs{
		Temporal: queues{
			newTasks: described(stats(1, 3*time.Second, 0), nil), smallTasks: described(stats(2, 0, 0), nil), largeTasks: described(nil, nil),
		},
		Namespace: "default", Pools: []string{"s3_us-west-2", "s3_us-east-1"}, Waiting: func(string) (int64, time.Duration) { return 0, 0 },
		Publish: func(_ context.Context, pool string, b cache.Backlog, ttl time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			published[pool] = b
			require.GreaterOrEqual(t, ttl, 5*time.Second)
			return nil
		},
		Metrics: worker.NewMetrics(registry, nil, worker.Upstreams{}), Log: zerolog.New(zerolog.NewTestWriter(t)),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.Run(ctx) }()
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(published) == 1
	}, 5*time.Second, time.Millisecond)
	cancel()
	<-ended
	require.Equal(t, map[string]cache.Backlog{"s3_us-west-2": {Tasks: 3, Age: 3 * time.Second}}, published)
	require.Equal(t, []string{`cloud_mirror_backlog_tasks{pool="s3_us-west-2"} 3`}, samples(t, registry, "cloud_mirror_backlog_tasks"))
	require.Equal(t, []string{`cloud_mirror_backlog_age_seconds{pool="s3_us-west-2"} 3`}, samples(t, registry, "cloud_mirror_backlog_age_seconds"))
	requireBacklogs(t, registry, 1)
}

// requireBacklogs requires the number of pools whose backlog is known.
func requireBacklogs(t *testing.T, registry *prometheus.Registry, want int) {
	t.Helper()
	for _, name := range []string{"cloud_mirror_backlog_tasks", "cloud_mirror_backlog_age_seconds"} {
		n, err := testutil.GatherAndCount(registry, name)
		require.NoError(t, err)
		require.Equal(t, want, n, name)
	}
}

// outage is a Temporal that answers only while it is not down.
type outage struct {
	queues
	down atomic.Bool
}

func (o *outage) DescribeTaskQueue(
	ctx context.Context, r *workflowservice.DescribeTaskQueueRequest, opts ...grpc.CallOption,
) (*workflowservice.DescribeTaskQueueResponse, error) {
	if o.down.Load() {
		return nil, errors.New("down")
	}
	return o.queues.DescribeTaskQueue(ctx, r, opts...)
}

// TestBacklogIsAbsentAfterAnError measures once, and then Temporal is down. An old age would page.
func TestBacklogIsAbsentAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		all := &outage{queues: queues{newTasks: described(stats(1, time.Minute, 0), nil), smallTasks: described(nil, nil), largeTasks: described(nil, nil)}}
		b := &worker.Backlogs{
			Temporal: all, Namespace: "default", Pools: []string{"s3_us-west-2"}, Waiting: func(string) (int64, time.Duration) { return 0, 0 },
			Publish: func(context.Context, string, cache.Backlog, time.Duration) error { return errors.New("redis is down") },
			Metrics: worker.NewMetrics(registry, nil, worker.Upstreams{}), Log: zerolog.Nop(),
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Run(ctx)
		synctest.Wait()
		require.Equal(t, []string{`cloud_mirror_backlog_age_seconds{pool="s3_us-west-2"} 60`}, samples(t, registry, "cloud_mirror_backlog_age_seconds"))
		all.down.Store(true)
		<-time.After(4 * time.Second)
		synctest.Wait()
		requireBacklogs(t, registry, 0)
		all.down.Store(false)
		<-time.After(4 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{`cloud_mirror_backlog_tasks{pool="s3_us-west-2"} 1`}, samples(t, registry, "cloud_mirror_backlog_tasks"))
	})
}
