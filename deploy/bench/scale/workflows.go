package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// coldClients request new objects, each one at a time. They are few, so that a latency has no queue.
const coldClients = 4

// workflows measures cold copies while Temporal's database fills.
func workflows(ctx context.Context, s settings, sizes []int) (r result, err error) {
	sys, err := startSystem(ctx, s)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	fill, err := newFiller(sys.stack.TemporalAddress())
	if err != nil {
		return r, err
	}
	defer fill.close()
	if _, err := sys.copies(ctx, 2*coldClients); err != nil { // Opens connections
		return r, err
	}
	r.columns = columnsOf(sizes)
	for i, n := range sizes {
		say("%s closed workflows", r.columns[i].label)
		start := time.Now()
		if err := fill.closed(ctx, n); err != nil {
			return r, err
		}
		r.notes = append(r.notes, fmt.Sprintf("%s closed workflows after %s of filling", r.columns[i].label, time.Since(start).Round(time.Second)))
		if err := sys.addCopies(ctx, &r, s.copies); err != nil {
			return r, err
		}
	}
	if s.open > 0 {
		r.columns = append(r.columns, column{label: fmt.Sprintf("and %s open", thousands(s.open))})
		say("%s open workflows", thousands(s.open))
		if err := fill.open(ctx, s.open); err != nil {
			return r, err
		}
		if err := sys.addCopies(ctx, &r, s.copies); err != nil {
			return r, err
		}
	}
	return r, nil
}

// copies makes n copies.
func (s *system) copies(ctx context.Context, n int) (load.Samples, error) {
	var r load.Recorder
	_ = load.AtOnce(n, coldClients, func(int) error { s.request(ctx, &r, time.Now()); return nil }) // It returns nil
	samples := r.Samples()
	if samples.Failures() > 0 {
		return samples, fmt.Errorf("cold requests failed: %s", load.DescribeCounts(samples.Failed))
	}
	return samples, ctx.Err()
}

// addCopies makes n copies and adds their cost.
func (s *system) addCopies(ctx context.Context, r *result, n int) error {
	idle, err := s.settle(ctx)
	if err != nil {
		return err
	}
	group := s.group()
	before, err := group.Read()
	if err != nil {
		return err
	}
	samples, err := s.copies(ctx, n)
	if err != nil {
		return err
	}
	c, err := group.Since(before)
	if err != nil {
		return err
	}
	for _, name := range processes() {
		used := c.CPU[name].Seconds()
		if name == temporal {
			used -= idle * c.Wall.Seconds() // Its idle CPU is a row of its own.
		}
		r.add(name+", CPU per copy", report.Milliseconds, perUnit, 1, used*1000/float64(n))
	}
	r.add("Temporal, idle CPU", percent, perUnit, .2, idle)
	r.add("latency, p50", report.Milliseconds, perUnit, 1, samples.Quantile(.5))
	r.add("latency, p99", report.Milliseconds, free, 1, samples.Quantile(.99))
	r.add(fmt.Sprintf("copies, %d at a time", coldClients), report.PerSecond, free, 0, float64(n)/c.Wall.Seconds())
	r.addProcesses(c)
	return nil
}
