package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// call is a request, or a run of the empty workflow.
type call func(context.Context) error

// figures are the results of a run. Durations are in milliseconds.
type figures struct {
	first, hit []float64 // Of calls one after the other
	emptyOne   []float64 // Of empty workflows, in turns with first
	// bursts are in the order of the rounds.
	empties, copies []burst
	spread          burst // Over all regions
	// neighbour is of requests for another host's objects, while many of one host wait: left when the
	// first is sent. The runs are Temporal's part of them, and of the first requests.
	neighbour, neighbourRuns, idleRuns []float64
	left                               int
}

// burst is the result of many calls by several clients at the same time.
type burst struct {
	rate float64       // Calls a second
	took []float64     // Of each call
	cpu  map[group]cpu // By the processes, for each call
}

func (b *bencher) measure(ctx context.Context) error {
	first := b.mirror.first(b.idle, client.Region)
	crowd := b.mirror.first(b.one, client.Region)
	again := func(ctx context.Context) error { return b.mirror.request(ctx, b.idle, client.Region, 1) }
	spread := b.mirror.first(b.one, stack.Regions()...)
	// The first calls open connections.
	if err := errors.Join(first(ctx), b.empty.run(ctx)); err != nil {
		return err
	}
	for range b.firsts {
		if err := errors.Join(timed(ctx, b.empty.run, &b.emptyOne), timed(ctx, first, &b.first)); err != nil {
			return err
		}
	}
	for range b.hits {
		if err := timed(ctx, again, &b.hit); err != nil {
			return err
		}
	}
	for range b.rounds {
		empties, err := b.burst(ctx, b.empty.run)
		if err != nil {
			return fmt.Errorf("empty workflows: %w", err)
		}
		copies, err := b.burst(ctx, crowd)
		if err != nil {
			return fmt.Errorf("first requests: %w", err)
		}
		b.empties, b.copies = append(b.empties, empties), append(b.copies, copies)
	}
	var err error
	if b.spread, err = b.burst(ctx, spread); err != nil {
		return fmt.Errorf("first requests in all regions: %w", err)
	}
	return b.measureNeighbour(ctx)
}

// burst makes the calls of a burst. Each client makes one at a time.
func (b *bencher) burst(ctx context.Context, f call) (out burst, err error) {
	before, err := b.usage()
	if err != nil {
		return out, err
	}
	var next atomic.Int64
	var all sync.WaitGroup
	var mu sync.Mutex
	start := time.Now()
	for range b.clients {
		all.Go(func() {
			var took []float64
			var failed error
			for failed == nil && next.Add(1) <= int64(b.crowd) {
				failed = timed(ctx, f, &took)
			}
			mu.Lock()
			defer mu.Unlock()
			out.took, err = append(out.took, took...), errors.Join(err, failed)
		})
	}
	all.Wait()
	out.rate = float64(b.crowd) / time.Since(start).Seconds()
	if err != nil {
		return out, err
	}
	after, err := b.usage()
	out.cpu = after.since(before, b.crowd)
	return out, err
}

// timed appends the duration of a call.
func timed(ctx context.Context, f call, took *[]float64) error {
	start := time.Now()
	err := f(ctx)
	*took = append(*took, milliseconds(time.Since(start)))
	return err
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
