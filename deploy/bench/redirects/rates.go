package main

import (
	"context"
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// Targets of the ratios to the bare router.
const (
	memoryRate = 0.90
	mirrorRate = 0.85
	passRate   = 0.80
	redisRate  = 0.45
	memoryP99  = 1.5
)

// many is how many objects the script requests.
const many = 1000

// load is a server with its load.
type load struct {
	address string
	path    string // Empty for the redirect of the first object
	script  string // Empty for one object
	samples []sample
}

// loads are the loads of the table. Those of the bare router are the baselines.
type loads struct {
	bare, bareMany, barePass *load
	memory, mirror           *load // Compared with bare
	redisMany                *load // Compared with bareMany
	pass                     *load // Compared with barePass
}

// rates measures hits.
func rates(ctx context.Context, f *fixture, t *report.Table) error {
	for i := range many {
		if err := f.put(ctx, i); err != nil {
			return err
		}
	}
	memory, err := f.frontEnd(ctx, fromMemory, defaultEntries, defaultMemory)
	if err != nil {
		return err
	}
	defer memory.Stop()
	redis, err := f.frontEnd(ctx, fromRedis, defaultEntries, defaultMemory)
	if err != nil {
		return err
	}
	defer redis.Stop()
	bare, err := f.bare(ctx, memory)
	if err != nil {
		return err
	}
	defer bare.Stop()
	// Concurrent reads of one entry share one read of redis, so the front end that reads redis
	// needs many objects. They cost wrk something. Therefore the bare router is measured with them
	// as well.
	script, err := f.script(many)
	if err != nil {
		return err
	}
	l := loads{
		bare: &load{address: bare.Address}, bareMany: &load{address: bare.Address, script: script},
		barePass: &load{address: bare.Address, path: passed()},
		memory:   &load{address: memory.Address}, mirror: &load{address: memory.Address, path: mirrored()},
		redisMany: &load{address: redis.Address, script: script},
		pass:      &load{address: memory.Address, path: passed()},
	}
	if err := f.takeTurns(ctx, l.bare, l.memory, l.bareMany, l.redisMany, l.mirror, l.barePass, l.pass); err != nil {
		return err
	}
	if err := checkMirror(ctx, memory); err != nil {
		return err
	}
	addRates(t, f.connections, l)
	return nil
}

// takeTurns measures the servers in turn: other load on the machine then affects all of them.
func (f *fixture) takeTurns(ctx context.Context, loads ...*load) error {
	for round := range f.rounds + 1 {
		for _, l := range loads {
			s, err := f.wrk(ctx, l)
			if err != nil {
				return err
			}
			if round > 0 { // The first round warms up
				l.samples = append(l.samples, s)
			}
		}
	}
	return nil
}

func addRates(t *report.Table, connections int, l loads) {
	rate := func(s sample) float64 { return s.rate }
	p99 := func(s sample) float64 { return s.p99 }
	add := func(label string, unit report.Unit, of, bare *load, f func(sample) float64, target report.Target) {
		r := report.Row{Label: label, Unit: unit, Figure: report.Median(each(of.samples, f))}
		if bare != nil {
			r.Ratios = []report.Ratio{{Ratio: ratio(of, bare, f), Target: target}}
		}
		t.Add(r)
	}
	hits := fmt.Sprintf("hits, %d connections", connections)
	add(hits+", bare router", report.PerSecond, l.bare, nil, rate, report.Target{})
	add(hits+", from memory", report.PerSecond, l.memory, l.bare, rate, report.AtLeast(memoryRate))
	add(hits+", from memory, mirror route", report.PerSecond, l.mirror, l.bare, rate, report.AtLeast(mirrorRate))
	passes := fmt.Sprintf("passed through, %d connections", connections)
	add(passes+", bare router", report.PerSecond, l.barePass, nil, rate, report.Target{})
	add(passes+", mirror route", report.PerSecond, l.pass, l.barePass, rate, report.AtLeast(passRate))
	add(hits+", many objects, bare router", report.PerSecond, l.bareMany, nil, rate, report.Target{})
	add(hits+", many objects, from redis", report.PerSecond, l.redisMany, l.bareMany, rate, report.AtLeast(redisRate))
	add("p99, bare router", report.Milliseconds, l.bare, nil, p99, report.Target{})
	add("p99, from memory", report.Milliseconds, l.memory, l.bare, p99, report.AtMost(memoryP99))
	add("p99, many objects, bare router", report.Milliseconds, l.bareMany, nil, p99, report.Target{})
	add("p99, many objects, from redis", report.Milliseconds, l.redisMany, l.bareMany, p99, report.Target{})
}

// ratio is the median of the ratios of all rounds.
func ratio(of, bare *load, f func(sample) float64) float64 {
	ratios := each(of.samples, f)
	for i, baseline := range each(bare.samples, f) {
		ratios[i] /= baseline
	}
	return report.Median(ratios)
}

func each(samples []sample, f func(sample) float64) []float64 {
	all := make([]float64, len(samples))
	for i, s := range samples {
		all[i] = f(s)
	}
	return all
}
