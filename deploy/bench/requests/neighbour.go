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
)

const (
	// neighbours is how many objects of the other host are requested, one after the other.
	neighbours = 5
	// listTimeout bounds the wait for Temporal's list of workflows, which is eventually consistent.
	listTimeout = 30 * time.Second
)

// measureNeighbour has a client for each of many objects of one host wait. Meanwhile it requests
// objects of another host, one after the other.
func (b *bencher) measureNeighbour(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	crowded := b.mirror.first(b.one, client.Region)
	var waiting atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, b.queued)
	waiting.Store(int64(b.queued))
	begun := make(chan struct{}) // Closed when the first copy of the burst is made
	var once sync.Once
	for range b.queued {
		all.Go(func() {
			if err := crowded(ctx); err != nil {
				failed <- err
			}
			waiting.Add(-1)
			once.Do(func() { close(begun) })
		})
	}
	<-begun
	var err error
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
