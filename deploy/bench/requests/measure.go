package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// Targets.
const (
	firstTime = 80.0 // milliseconds
	hitTime   = 2.0  // milliseconds
	crowdRate = 0.60 // of the rate of empty workflows
)

// call is a request, or a run of the empty workflow.
type call func(context.Context) error

// figures are the results of a run.
type figures struct {
	empty, first, hit      []float64 // durations of calls one after the other, in milliseconds
	emptyCrowd, firstCrowd crowd
}

// crowd is the result of many calls by several clients at the same time.
type crowd struct {
	rate float64   // calls a second
	took []float64 // of each call, in milliseconds
}

func measure(ctx context.Context, s settings, m *mirror, empty *emptyWorkflow) (f figures, err error) {
	var object atomic.Int64
	first := func(ctx context.Context) error { return m.request(ctx, int(object.Add(1))) }
	again := func(ctx context.Context) error { return m.request(ctx, 1) }
	// The first calls open connections.
	if err := errors.Join(first(ctx), empty.run(ctx)); err != nil {
		return f, err
	}
	var errs [5]error
	f.empty, errs[0] = sequence(ctx, s.firsts, empty.run)
	f.first, errs[1] = sequence(ctx, s.firsts, first)
	f.hit, errs[2] = sequence(ctx, s.hits, again)
	f.emptyCrowd, errs[3] = atOnce(ctx, s, empty.run)
	f.firstCrowd, errs[4] = atOnce(ctx, s, first)
	return f, errors.Join(errs[:]...)
}

func (f figures) table(s settings) *report.Table {
	t := report.New(report.Baseline{Name: "empty workflow"})
	empty := report.Median(f.empty)
	time := func(what string, took []float64, target report.Target) {
		t.Add(report.Row{
			Label: fmt.Sprintf("%s, median of %d", what, len(took)), Unit: report.Milliseconds, Figure: report.Median(took), Target: target,
			Ratios: []report.Ratio{report.Against(report.Median(took), empty, report.Target{})},
		})
	}
	rate := func(what string, c crowd, target report.Target) {
		t.Add(report.Row{
			Label: fmt.Sprintf("%d %s, %d at a time", s.crowd, what, s.clients), Unit: report.PerSecond, Figure: c.rate,
			Ratios: []report.Ratio{report.Against(c.rate, f.emptyCrowd.rate, target)},
		})
	}
	time("empty workflow of three activities", f.empty, report.Target{})
	time("first request of a 1 KiB object", f.first, report.AtMost(firstTime))
	time("next request of it", f.hit, report.AtMost(hitTime))
	rate("empty workflows", f.emptyCrowd, report.Target{})
	rate("first requests", f.firstCrowd, report.AtLeast(crowdRate))
	took := f.firstCrowd.took
	t.Add(report.Row{Label: "first requests, p50", Unit: report.Milliseconds, Figure: report.Quantile(took, .5)})
	t.Add(report.Row{Label: "first requests, p99", Unit: report.Milliseconds, Figure: report.Quantile(took, .99)})
	return t
}

// sequence makes n calls, one after the other, and returns their durations.
func sequence(ctx context.Context, n int, f call) ([]float64, error) {
	took := make([]float64, n)
	for i := range took {
		var err error
		if took[i], err = timed(ctx, f); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// atOnce makes the calls of the crowd. Each client makes one at a time.
func atOnce(ctx context.Context, s settings, f call) (crowd, error) {
	var next atomic.Int64
	var all sync.WaitGroup
	took := make([]float64, s.crowd)
	errs := make(chan error, s.clients)
	start := time.Now()
	for range s.clients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < s.crowd; i = int(next.Add(1)) - 1 {
				var err error
				if took[i], err = timed(ctx, f); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	rate := float64(s.crowd) / time.Since(start).Seconds()
	close(errs)
	return crowd{rate: rate, took: took}, <-errs
}

// timed returns the duration of a call in milliseconds.
func timed(ctx context.Context, f call) (float64, error) {
	start := time.Now()
	err := f(ctx)
	return time.Since(start).Seconds() * 1000, err
}
