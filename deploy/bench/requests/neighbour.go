package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	// neighbours is how many objects of the other host are requested, one after the other.
	neighbours = 20
	// listTimeout bounds the wait for Temporal's list of workflows, which is eventually consistent.
	listTimeout = 30 * time.Second
	// queueTimeout bounds the wait for a burst's requests to arrive.
	queueTimeout = time.Minute
)

// measureNeighbour has a client for each of many objects of one host wait. Once all of them are queued,
// it requests objects of another host, one after the other.
func (b *bencher) measureNeighbour(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	crowded := b.mirror.first(b.one, client.Region)
	var waiting atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, b.queued)
	waiting.Store(int64(b.queued))
	for range b.queued {
		all.Go(func() {
			if err := crowded(ctx); err != nil {
				failed <- err
			}
			waiting.Add(-1)
		})
	}
	err := b.awaitQueued(ctx, &waiting)
	b.left = int(waiting.Load())
	for err == nil && len(b.neighbour) < neighbours && waiting.Load() > 0 {
		err = timed(ctx, b.mirror.first(b.other, client.Region), &b.neighbour)
	}
	all.Wait()
	close(failed)
	if err = errors.Join(err, <-failed); err != nil {
		return fmt.Errorf("two hosts: %w", err)
	}
	if len(b.neighbour) == 0 {
		return fmt.Errorf("two hosts: the burst of %d objects ended before another host's request", b.queued)
	}
	var err1, err2 error
	b.idleRuns, err1 = b.runsOf(ctx, b.idle)
	b.neighbourRuns, err2 = b.runsOf(ctx, b.other)
	return errors.Join(err1, err2)
}

// awaitQueued waits until all of the burst's clients that have no answer wait in the front end.
func (b *bencher) awaitQueued(ctx context.Context, waiting *atomic.Int64) error {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	for {
		before := waiting.Load()
		n, err := client.Waiting(ctx, b.local.AdminURL(stack.FrontEndName(0)))
		if err != nil {
			return fmt.Errorf("wait until %d objects are queued: %w", b.queued, err)
		}
		if n > 0 && int64(n) >= waiting.Load() && int64(n) <= before {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %d objects are queued: %w", b.queued, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// runsOf returns the durations of the copies from a source, as Temporal lists them.
func (b *bencher) runsOf(ctx context.Context, s *source) (took []float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	r := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: "default",
		Query:     fmt.Sprintf("MirrorHost = '%s' AND ExecutionStatus = 'Completed'", strings.TrimPrefix(s.URL, "http://")),
	}
	for {
		out, err := b.empty.client.ListWorkflow(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("list workflows: %w", err)
		}
		if int64(len(out.GetExecutions())) < s.objects.Load() {
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("list workflows: %w", ctx.Err())
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		for _, w := range out.GetExecutions() {
			took = append(took, milliseconds(w.GetCloseTime().AsTime().Sub(w.GetStartTime().AsTime())))
		}
		return took, nil
	}
}
