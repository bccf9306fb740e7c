package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

const (
	// backlogInterval is the time between two measurements of a pool's backlog. backlogTimeout
	// bounds a measurement.
	backlogInterval = 3 * time.Second
	backlogTimeout  = 5 * time.Second
	// backlogTTL is how long front ends trust a measurement. It outlasts a few failed measurements.
	backlogTTL = 15 * time.Second
	// waitedFor is the lowest priority of tasks with waiting clients: Temporal's default
	// (https://docs.temporal.io/develop/task-queue-priority-fairness).
	waitedFor = 3
)

// Describer is the part of Temporal's service that measures task queues.
type Describer interface {
	// DescribeTaskQueue returns the statistics of the tasks of one type in a task queue.
	DescribeTaskQueue(
		ctx context.Context, r *workflowservice.DescribeTaskQueueRequest, opts ...grpc.CallOption,
	) (*workflowservice.DescribeTaskQueueResponse, error)
}

// Backlogs counts the tasks of each pool that wait for workers, and its messages that wait in the
// bridge. It publishes the backlog for front ends. All fields are required. Several bridges may
// publish: the last writer wins.
type Backlogs struct {
	Temporal  Describer
	Namespace string
	Pools     []string // Ids.
	// Waiting returns the number of a pool's messages that wait in this bridge, and the age of the
	// oldest that a client waits for; see queue.Receiver.Waiting.
	Waiting func(pool string) (messages int64, age time.Duration)
	// Publish stores a pool's backlog for the time of ttl.
	Publish func(ctx context.Context, pool string, b cache.Backlog, ttl time.Duration) error
	Metrics *Metrics
	Log     zerolog.Logger
}

// Run publishes until ctx ends. It logs the first error of a pool after a success. Without a
// measurement there are no metrics: an old age would look like a pool without workers.
func (b *Backlogs) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, pool := range b.Pools {
		all.Go(func() { b.runPool(ctx, pool) })
	}
	all.Wait()
}

func (b *Backlogs) runPool(ctx context.Context, pool string) {
	ticker := time.NewTicker(backlogInterval)
	defer ticker.Stop()
	failed := false
	for ctx.Err() == nil {
		err := b.publish(ctx, pool)
		if err != nil && !failed && ctx.Err() == nil {
			b.Log.Warn().Err(err).Str("pool", pool).Msg("backlog not published; front ends request copies regardless of it")
		}
		failed = err != nil
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (b *Backlogs) publish(ctx context.Context, pool string) error {
	ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
	defer cancel()
	backlog, err := b.Measure(ctx, pool)
	if err != nil {
		b.Metrics.noBacklog(pool)
		return err
	}
	b.Metrics.backlog(pool, backlog)
	return b.Publish(ctx, pool, backlog, backlogTTL)
}

// Measure returns a pool's backlog. Tasks counts all its task queues, and the messages that wait in
// this bridge. Age is that of the oldest task or message that a client waits for in the queue of
// every new copy. It excludes large objects, which have a queue of their own and may wait for long.
// It excludes lists, which may wait as well.
func (b *Backlogs) Measure(ctx context.Context, pool string) (all cache.Backlog, err error) {
	for _, q := range []struct {
		name string
		of   enums.TaskQueueType
	}{
		{workflows.TaskQueue(pool), enums.TASK_QUEUE_TYPE_WORKFLOW},
		{workflows.TaskQueue(pool), enums.TASK_QUEUE_TYPE_ACTIVITY},
		{workflows.LargeTaskQueue(pool), enums.TASK_QUEUE_TYPE_ACTIVITY},
	} {
		reply, err := b.Temporal.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace: b.Namespace, TaskQueue: &taskqueue.TaskQueue{Name: q.name}, TaskQueueType: q.of, ReportStats: true,
		})
		if err != nil {
			return cache.Backlog{}, fmt.Errorf("describe task queue %s: %w", q.name, err)
		}
		stats := reply.GetStats()
		all.Tasks += stats.GetApproximateBacklogCount()
		all.Rate += float64(stats.GetTasksDispatchRate())
		if q.name == workflows.TaskQueue(pool) {
			all.Age = max(all.Age, waitedAge(reply))
		}
	}
	messages, age := b.Waiting(pool)
	all.Tasks += messages
	all.Age = max(all.Age, age)
	return all, nil
}

// waitedAge returns the age of the oldest task that a client waits for. A server that does not
// distinguish priorities reports the oldest of all tasks.
func waitedAge(reply *workflowservice.DescribeTaskQueueResponse) (age time.Duration) {
	if len(reply.GetStatsByPriorityKey()) == 0 {
		return reply.GetStats().GetApproximateBacklogAge().AsDuration()
	}
	for priority, stats := range reply.GetStatsByPriorityKey() {
		if priority <= waitedFor {
			age = max(age, stats.GetApproximateBacklogAge().AsDuration())
		}
	}
	return age
}
