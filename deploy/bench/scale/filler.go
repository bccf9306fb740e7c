package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

const (
	fillQueue    = "bench-fill"
	fillWorkflow = "Fill"
	// fillMarkers make a history as long as that of a copy with local first attempts: 13 events.
	fillMarkers = 8
	// fillBytes is the size of a marker, about that of a copy's inputs and results.
	fillBytes = 200
	fillers   = 32
	fillWait  = 5 * time.Minute
	// opening is how long the task of an open run is delayed.
	opening = 24 * time.Hour
)

// filler fills Temporal's database with workflows.
type filler struct {
	client  client.Client
	worker  worker.Worker
	started int
	ended   atomic.Int64
}

func newFiller(address string) (*filler, error) {
	c, err := client.Dial(client.Options{HostPort: address, Logger: quiet{}})
	if err != nil {
		return nil, err
	}
	f := &filler{client: c}
	f.worker = worker.New(c, fillQueue, worker.Options{MaxConcurrentWorkflowTaskExecutionSize: 2 * fillers})
	f.worker.RegisterWorkflowWithOptions(f.run, workflow.RegisterOptions{Name: fillWorkflow})
	if err := f.worker.Start(); err != nil {
		c.Close()
		return nil, err
	}
	return f, nil
}

// run is the workflow. Its only task ends it.
func (f *filler) run(ctx workflow.Context) error {
	text := make([]byte, fillBytes)
	for range fillMarkers {
		workflow.SideEffect(ctx, func(workflow.Context) any { return text })
	}
	f.ended.Add(1)
	return nil
}

// closed fills the database up to n closed workflows.
func (f *filler) closed(ctx context.Context, n int) error {
	more := max(0, n-f.started)
	if err := f.start(ctx, more, client.StartWorkflowOptions{TaskQueue: fillQueue, EnableEagerStart: true}); err != nil {
		return err
	}
	f.started += more
	for deadline := time.Now().Add(fillWait); f.ended.Load() < int64(f.started); load.Wait(ctx, 50*time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("%d of %d workflows have ended", f.ended.Load(), f.started)
		}
	}
	return nil
}

// open adds n runs that do nothing for a day.
func (f *filler) open(ctx context.Context, n int) error {
	return f.start(ctx, n, client.StartWorkflowOptions{TaskQueue: fillQueue, StartDelay: opening})
}

func (f *filler) start(ctx context.Context, n int, o client.StartWorkflowOptions) error {
	return load.AtOnce(n, fillers, func(int) error {
		_, err := f.client.ExecuteWorkflow(ctx, o, fillWorkflow)
		return err
	})
}

func (f *filler) close() {
	f.worker.Stop()
	f.client.Close()
}

// quiet drops the SDK's log, which would mix with the table.
type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
