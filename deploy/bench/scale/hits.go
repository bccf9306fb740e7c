package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/rig"
)

const (
	hitConnections = 32
	// perObject is the memory in a front end's configuration for each redirect that it keeps.
	perObject = 4 << 10
	// manyObjects almost fill a front end with default settings.
	manyObjects = 90_000
)

// contender is a front end that is measured in turn with others.
type contender struct {
	server               *process.Server
	objects, connections int
	results              []clientsResult
}

// hits measures front ends that know different numbers of objects. The last front end knows as many
// as the one before, and keeps a tenth of them at most.
func hits(ctx context.Context, s settings, sizes []int) (r result, err error) {
	fixture, err := rig.New(ctx, s.binary)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, fixture.Close()) }()
	most := sizes[len(sizes)-1]
	if err := put(ctx, fixture, most); err != nil {
		return r, err
	}
	r.columns = append(columnsOf(sizes), column{label: thousands(most) + ", a tenth kept"})
	var all []*contender
	defer func() { stop(all) }()
	for i := range r.columns {
		objects, kept, memory := most, max(1, most/10), max(1<<20, most/10*perObject)
		if i < len(sizes) {
			objects, kept, memory = sizes[i], 2*sizes[i], 32<<20+sizes[i]*perObject
		}
		server, err := fixture.FrontEnd(ctx, rig.FrontEnd{Settings: map[string]any{"cache_entries": kept, "cache_memory": strconv.Itoa(memory)}})
		if err != nil {
			return r, err
		}
		all = append(all, &contender{server: server, objects: objects, connections: hitConnections})
		say("a front end meets %s objects", thousands(objects))
		if _, err := runTask(ctx, clientsTask{FrontEnd: server.Address, Warm: min(objects, 2*kept)}); err != nil {
			return r, err
		}
	}
	err = r.takeTurns(ctx, s, fixture, all)
	return r, err
}

// connections measures front ends with default limits of memory, and with different numbers of
// connections.
func connections(ctx context.Context, s settings, sizes []int) (r result, err error) {
	most := sizes[len(sizes)-1]
	// A front end keeps an eighth of its descriptors free.
	if err := process.AllowFiles(uint64(most)*5/4 + 1000); err != nil { //nolint:gosec // It is positive
		return r, err
	}
	fixture, err := rig.New(ctx, s.binary)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, fixture.Close()) }()
	if err := put(ctx, fixture, manyObjects); err != nil {
		return r, err
	}
	r.columns = columnsOf(sizes)
	var all []*contender
	defer func() { stop(all) }()
	for _, n := range sizes {
		server, err := fixture.FrontEnd(ctx, rig.FrontEnd{Settings: map[string]any{
			"max_conns": max(25_000, 2*most), "max_conns_per_client": 0,
		}})
		if err != nil {
			return r, err
		}
		all = append(all, &contender{server: server, objects: manyObjects, connections: n})
		if _, err := runTask(ctx, clientsTask{FrontEnd: server.Address, Warm: manyObjects}); err != nil {
			return r, err
		}
	}
	err = r.takeTurns(ctx, s, fixture, all)
	return r, err
}

func put(ctx context.Context, fixture *rig.Rig, n int) error {
	say("redis gets %s entries", thousands(n))
	return load.AtOnce(n, warmers, func(i int) error { return fixture.Put(ctx, i) })
}

func stop(all []*contender) {
	for _, c := range all {
		c.server.Stop()
	}
}

// takeTurns measures the contenders in rounds and adds their medians.
func (r *result) takeTurns(ctx context.Context, s settings, fixture *rig.Rig, all []*contender) error {
	for range s.rounds {
		for _, c := range all {
			t := clientsTask{
				FrontEnd: c.server.Address, Objects: c.objects, Connections: c.connections, Every: s.every, Length: s.length,
				Processes: process.Group{frontEnd: c.server.PID(), redisServer: fixture.Server.PID()},
			}
			one, err := runTask(ctx, t)
			if err != nil {
				return err
			}
			c.results = append(c.results, one)
		}
	}
	for _, c := range all {
		r.addHits(c.results)
	}
	return nil
}

// addHits adds the medians of rounds.
func (r *result) addHits(rounds []clientsResult) {
	median := func(of func(clientsResult) float64) float64 {
		var all []float64
		for _, round := range rounds {
			all = append(all, of(round))
		}
		return report.Median(all)
	}
	perHit := func(name string) float64 {
		return median(func(c clientsResult) float64 {
			return float64(c.Cost.CPU[name]) / float64(time.Microsecond) / float64(len(c.Hits.Took))
		})
	}
	resident := func(name string) float64 {
		return median(func(c clientsResult) float64 { return float64(c.Cost.Resident[name]) })
	}
	latency := func(q float64) float64 {
		return median(func(c clientsResult) float64 { return c.Hits.Quantile(q) })
	}
	r.add("front end, CPU per hit", microseconds, perUnit, 5, perHit(frontEnd))
	r.add("redis, CPU per hit", microseconds, perUnit, 5, perHit(redisServer))
	r.add("latency, p50", report.Milliseconds, perUnit, .1, latency(.5))
	r.add("latency, p99", report.Milliseconds, free, .1, latency(.99))
	r.add("front end, memory", report.MiB, linear, 0, resident(frontEnd))
	r.add("redis, memory", report.MiB, free, 0, resident(redisServer))
	r.add("processors idle", percent, free, .01, median(func(c clientsResult) float64 { return c.Cost.Idle }))
}
