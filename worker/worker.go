package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

const (
	// stopTimeout is how long a stopping worker waits for its activities to hand over.
	stopTimeout = 10 * time.Second
	// stickyTimeout is how long a workflow task waits for the worker that has the workflow in
	// memory, before another worker may take it. That worker replays the history, which is short.
	stickyTimeout = 2 * time.Second
	// deadlockTimeout is how long a workflow may compute without a pause, by the wall clock: no
	// less than Temporal waits for a workflow task. By default it is 1 s. A process that was frozen
	// for longer then fails the task. Its dispatcher and its workflow run at the same time, which
	// is a data race.
	deadlockTimeout = 10 * time.Second
	// heartbeatThrottle is short enough that a copy learns of its cancellation within seconds.
	heartbeatThrottle = time.Second
	// maintenanceTasks limits the audits and refreshes that run at the same time in each pool. A
	// refresh takes a few calls of S3, and minutes for a very large object.
	maintenanceTasks = 16
	// maintenancePollers is enough, since no client waits for these tasks.
	maintenancePollers = 2
)

// Options configures a worker process.
type Options struct {
	Log zerolog.Logger
	// Namespace is the Temporal namespace of the client.
	Namespace string
	// Activities are the activities of the pools that this process copies into, by pool id. An
	// empty map means that the process only bridges.
	Activities map[string]*activities.Activities
	// Concurrency limits the copies of small objects that run at the same time in each pool.
	// LargeSlots limits the copies of large objects, which come in addition. Package copier
	// enforces both, because a slot of Temporal knows nothing of a task's source. The Temporal
	// workers accept more tasks: see [copier.TasksPerSlot].
	Concurrency, LargeSlots int
	// Bridge starts workflows for the messages of Queue. Nil means that the process only copies.
	Bridge *Bridge
	// Backlogs publishes the backlogs of all pools while the bridge runs. It is required with
	// Bridge. The worker sets its Waiting.
	Backlogs *Backlogs
	// Queue is the bridge's queue. Receivers, Intake and VisibilityTimeout are as
	// in [queue.Receiver].
	Queue             *queue.Queue
	Receivers         int
	Intake            int
	VisibilityTimeout time.Duration
	// CheckEvery is how often Temporal is checked. The worker is not ready if Temporal, or every
	// receive, has failed for three times as long.
	CheckEvery time.Duration
	Metrics    *Metrics
	// Version is the build's version. It is part of the identity that Temporal shows; see
	// [identity].
	Version string
	// Deployment is the version of a Worker Deployment; see [DeploymentVersion]. The zero value is
	// none.
	Deployment worker.WorkerDeploymentVersion
}

// Worker runs the activities and the bridge of one process.
type Worker struct {
	client client.Client
	opts   Options
	ready  atomic.Bool
	// temporal and receives are the worker's dependencies.
	temporal, receives *dependency
}

// New returns a worker that does nothing until [Worker.Run].
func New(c client.Client, o Options) *Worker {
	patience := misses * o.CheckEvery
	return &Worker{
		client: c, opts: o,
		temporal: newDependency("Temporal does not answer", patience, o.Metrics.lastSuccessOf("temporal")),
		receives: newDependency("no message can be received from SQS", patience, o.Metrics.lastSuccessOf("sqs")),
	}
}

// Ready returns an error unless the worker accepts tasks and messages. The error names each failing
// dependency.
func (w *Worker) Ready() error {
	if !w.ready.Load() {
		return errors.New("starting or stopping")
	}
	now := time.Now()
	return errors.Join(w.temporal.down(now), w.receives.down(now))
}

// check asks Temporal for its health every CheckEvery until ctx is done. The pollers can't tell:
// their polls last a minute, and the SDK repeats failed polls.
func (w *Worker) check(ctx context.Context) {
	ticker := time.NewTicker(w.opts.CheckEvery)
	defer ticker.Stop()
	for {
		start := time.Now()
		call, cancel := context.WithTimeout(ctx, w.opts.CheckEvery)
		_, err := w.client.CheckHealth(call, &client.CheckHealthRequest{})
		cancel()
		if ctx.Err() != nil {
			return
		}
		w.temporal.tried(start, time.Now(), err)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Run works until ctx is done, then stops in order: no new messages, then no new tasks, then the
// copies in flight hand over. It also stops on a fatal error of a Temporal worker, and returns it.
// Missing search attributes are [ErrAttributes].
func (w *Worker) Run(ctx context.Context) error {
	missing, err := missingAttributes(ctx, w.client, w.opts.Namespace)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w (%s)", ErrAttributes, describeAttributes(missing))
	}
	fatal := make(chan error, 3*len(w.opts.Activities)) // One for each Temporal worker, so that none blocks.
	stop, err := startWorkers(w.client, w.opts, fatal)
	defer stop()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	if w.opts.Bridge != nil {
		receiver := w.newReceiver()
		w.opts.Backlogs.Waiting = receiver.Waiting
		running.Go(func() { receiver.Run(ctx) })
		running.Go(func() { w.opts.Backlogs.Run(ctx) })
		depths := &Depths{Measure: w.opts.Queue.Depths, Metrics: w.opts.Metrics, Log: w.opts.Log, Now: time.Now}
		running.Go(func() { depths.Run(ctx) })
		open := &OpenCopies{
			Temporal: w.client.WorkflowService(), Namespace: w.opts.Namespace, Pools: w.opts.Backlogs.Pools,
			Metrics: w.opts.Metrics, Log: w.opts.Log,
		}
		running.Go(func() { open.Run(ctx) })
	}
	running.Go(func() { w.check(ctx) })
	w.ready.Store(true)
	w.opts.Log.Info().Strs("pools", slices.Sorted(maps.Keys(w.opts.Activities))).Bool("bridge", w.opts.Bridge != nil).
		Msg("worker accepts tasks")
	select {
	case <-ctx.Done():
		err = nil
	case err = <-fatal:
		cancel()
	}
	w.ready.Store(false)
	running.Wait()
	return err
}

// startWorkers starts three Temporal workers for each pool. One of them is for large objects, and
// one for audits and refreshes. It returns a function that stops all of them at the same time.
func startWorkers(c client.Client, o Options, fatal chan<- error) (stop func(), err error) {
	var started []worker.Worker
	stop = func() {
		var wg sync.WaitGroup
		for _, w := range started {
			wg.Go(w.Stop)
		}
		wg.Wait()
	}
	for pool, a := range o.Activities {
		onFatal := func(err error) { fatal <- fmt.Errorf("worker of pool %s: %w", pool, err) }
		options := worker.Options{
			Identity:                           identity(pool, o.Version),
			MaxConcurrentActivityExecutionSize: copier.TasksPerSlot * o.Concurrency,
			MaxHeartbeatThrottleInterval:       heartbeatThrottle,
			DefaultHeartbeatThrottleInterval:   heartbeatThrottle,
			WorkflowTaskPollerBehavior:         autoscaledPollers(),
			ActivityTaskPollerBehavior:         autoscaledPollers(),
			StickyScheduleToStartTimeout:       stickyTimeout,
			WorkerStopTimeout:                  stopTimeout,
			DeadlockDetectionTimeout:           deadlockTimeout,
			OnFatalError:                       onFatal,
			DeploymentOptions:                  deploymentOptions(o.Deployment), // Of all task queues
			Interceptors:                       []interceptor.WorkerInterceptor{&identifiedLogs{}},
		}
		options.MaxConcurrentWorkflowTaskExecutionSize = workflowTasks(o.Concurrency)
		options.MaxConcurrentLocalActivityExecutionSize = workflowTasks(o.Concurrency)
		small := worker.New(c, workflows.TaskQueue(pool), options)
		RegisterWorkflows(small)
		options.MaxConcurrentActivityExecutionSize, options.DisableWorkflowWorker = copier.TasksPerSlot*o.LargeSlots, true
		large := worker.New(c, workflows.LargeTaskQueue(pool), options)
		options.MaxConcurrentActivityExecutionSize = maintenanceTasks
		options.ActivityTaskPollerBehavior = worker.NewPollerBehaviorSimpleMaximum(
			worker.PollerBehaviorSimpleMaximumOptions{MaximumNumberOfPollers: maintenancePollers})
		maintenance := worker.New(c, workflows.MaintenanceTaskQueue(pool), options)
		for _, w := range []worker.Worker{small, large, maintenance} {
			w.RegisterActivity(a)
			if err := w.Start(); err != nil {
				return stop, fmt.Errorf("start worker of pool %s: %w", pool, err)
			}
			started = append(started, w)
		}
	}
	return stop, nil
}

// workflowTasks returns how many workflow tasks a worker accepts, and how many local attempts. A
// task has one local attempt at a time, so none waits for a slot in the worker. All others wait in
// Temporal, which takes turns by the source's host. The SDK refuses a single task.
func workflowTasks(concurrency int) int { return max(concurrency, 2) }

// autoscaledPollers scales a worker's pollers with the backlog of its task queue. The SDK's default
// is a fixed two pollers. In a burst a backlog forms behind them, and tasks that arrive later are
// matched before it: some clients then wait many times the median.
func autoscaledPollers() worker.PollerBehavior {
	return worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
}

func (w *Worker) newReceiver() *queue.Receiver {
	o := w.opts
	return &queue.Receiver{
		Queue:             o.Queue,
		Receivers:         o.Receivers,
		Intake:            o.Intake,
		VisibilityTimeout: o.VisibilityTimeout,
		Handle:            o.Bridge.Handle,
		Window: func() int {
			n := o.Bridge.Window()
			o.Metrics.window.Set(float64(n))
			return n
		},
		Ended:    o.Bridge.Ended,
		Received: func(start time.Time, err error) { w.receives.tried(start, time.Now(), err) },
		Oldest:   o.Metrics.received,
		Held:     func(n int) { o.Metrics.held.Set(float64(n)) },
		Report: func(outcome queue.Outcome, r queue.Request, err error) {
			pool := ""
			if p, ok := o.Bridge.Pools[r.Pool]; ok {
				pool = p.ID()
			}
			if outcome != "" {
				o.Metrics.messages.WithLabelValues(pool, string(outcome)).Inc()
			}
			// A stopping process returns its messages to the queue: that is not worth a log line.
			if err != nil && !errors.Is(err, context.Canceled) {
				requestid.Log(requestid.With(context.Background(), r.RequestID), o.Log.Warn()).Err(err).Str("pool", pool).Str("outcome", string(outcome)).Msg("copy request error")
			}
		},
	}
}
