package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// emptyWorkflow runs three activities that do nothing, which is the least that a workflow of three
// activities costs.
type emptyWorkflow struct {
	client client.Client
	worker worker.Worker
}

const (
	emptyQueue    = "bench"
	emptyActivity = "Empty"
)

func newEmptyWorkflow(o client.Options) (*emptyWorkflow, error) {
	o.Logger = quiet{}
	c, err := client.Dial(o)
	if err != nil {
		return nil, err
	}
	pollers := worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}) // As those of cloud-mirror
	w := worker.New(c, emptyQueue, worker.Options{WorkflowTaskPollerBehavior: pollers, ActivityTaskPollerBehavior: pollers})
	w.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: emptyActivity})
	w.RegisterWorkflowWithOptions(threeEmptyActivities, workflow.RegisterOptions{Name: "Empty"})
	if err := w.Start(); err != nil {
		c.Close()
		return nil, err
	}
	return &emptyWorkflow{client: c, worker: w}, nil
}

func threeEmptyActivities(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for range 3 {
		if err := workflow.ExecuteActivity(ctx, emptyActivity).Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func (e *emptyWorkflow) run(ctx context.Context) error {
	run, err := e.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: emptyQueue, EnableEagerStart: true}, "Empty")
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

func (e *emptyWorkflow) close() {
	e.worker.Stop()
	e.client.Close()
}

// quiet drops the SDK's log, which would mix with the table.
type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
