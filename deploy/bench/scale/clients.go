package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// stride spreads the requests over the objects. It is prime.
const stride = 7919

// warmers are the connections of a warm-up.
const warmers = 32

// clientsTask is the work of the clients' process: a warm-up, hits, or both.
type clientsTask struct {
	FrontEnd string // Host and port
	// Warm is how many objects are requested once, as fast as possible.
	Warm int
	// Objects is how many objects are requested then, over so many Connections.
	Objects, Connections int
	Every, Length        time.Duration
	// Processes are measured meanwhile.
	Processes process.Group
}

// clientsResult is the result of the hits.
type clientsResult struct {
	Hits load.Samples
	Cost process.Cost
}

// runTask runs a task in a process of its own.
func runTask(ctx context.Context, t clientsTask) (r clientsResult, err error) {
	return r, process.RunSelf(ctx, runClients, t, &r)
}

// serveClients is the main function of the clients' process. It writes its result to standard
// output.
func serveClients(ctx context.Context, text string) error {
	var t clientsTask
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	if err := t.warm(ctx); err != nil {
		return err
	}
	r, err := t.hit(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func (t clientsTask) warm(ctx context.Context) error {
	if t.Warm == 0 {
		return nil
	}
	conns, err := dial(ctx, t.FrontEnd, warmers)
	if err != nil {
		return err
	}
	defer conns.close()
	return load.AtOnce(t.Warm, warmers, func(i int) error { return conns.get(i, i) })
}

func (t clientsTask) hit(ctx context.Context) (r clientsResult, err error) {
	if t.Connections == 0 {
		return r, nil
	}
	conns, err := dial(ctx, t.FrontEnd, t.Connections)
	if err != nil {
		return r, err
	}
	defer conns.close()
	// The first request of a connection costs more.
	if err := load.AtOnce(len(conns), warmers, func(i int) error { return conns.get(i, i*stride%t.Objects) }); err != nil {
		return r, err
	}
	before, err := t.Processes.Read()
	if err != nil {
		return r, err
	}
	var hits load.Recorder
	schedule := load.Schedule{Every: t.Every, Number: int(t.Length / t.Every), Workers: min(len(conns), 128)}
	schedule.Run(ctx, func(i int, due time.Time) {
		if err := conns.get(i, i*stride%t.Objects); err != nil {
			hits.Fail(err.Error())
			return
		}
		hits.Succeed(due)
	})
	if r.Cost, err = t.Processes.Since(before); err != nil {
		return r, err
	}
	r.Hits = hits.Samples()
	if r.Hits.Failures() > 0 {
		return r, fmt.Errorf("hits failed: %s", load.DescribeCounts(r.Hits.Failed))
	}
	return r, ctx.Err()
}
