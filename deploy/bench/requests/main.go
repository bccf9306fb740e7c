package main

import (
	"context"
	"errors"
	"flag"
	"os"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// settings are the flags, for experiments.
type settings struct {
	binary  string
	firsts  int // First requests, one after the other
	hits    int // Next requests
	rounds  int // Of a burst of empty workflows and a burst of first requests
	crowd   int // Objects of a burst
	clients int // That request them, each one object at a time
	queued  int // Objects of one host that wait, while another host's are requested
}

func main() { process.Main("bench", run) }

func flags(args []string) (s settings, err error) {
	set := flag.NewFlagSet("bench", flag.ExitOnError)
	set.StringVar(&s.binary, "binary", "", "the cloud-mirror to measure; by default one built from this checkout")
	set.IntVar(&s.firsts, "firsts", 20, "first requests, one after the other")
	set.IntVar(&s.hits, "hits", 500, "next requests, one after the other")
	set.IntVar(&s.rounds, "rounds", 3, "bursts of empty workflows and of first requests, in turns")
	set.IntVar(&s.crowd, "crowd", 500, "first requests of a burst")
	set.IntVar(&s.clients, "clients", 50, "clients in a burst")
	set.IntVar(&s.queued, "queued", 1000, "objects of one host that are requested at the same time, before another host's")
	_ = set.Parse(args) // ExitOnError
	if min(s.firsts, s.hits, s.rounds, s.crowd, s.clients, s.queued) < 1 {
		return s, errors.New("each number must be at least 1")
	}
	return s, nil
}

func run(ctx context.Context, args []string) error {
	s, err := flags(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "cloud-mirror-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := stack.FindRoot(".")
	if err != nil {
		return err
	}
	temporal, err := stack.TemporalFromEnv(os.Environ())
	if err != nil {
		return err
	}
	local, err := stack.Start(ctx, stack.Options{
		Root: root, StateDir: dir, Binary: s.binary, Temporal: temporal, Log: os.Stderr,
		// All requests come from one client, and would soon reach its limit.
		Env: []string{"CLOUD_MIRROR_FRONTEND_COLD_RATE=0", "CLOUD_MIRROR_FRONTEND_COLD_RATE_PER_HOST=0"},
	})
	if err != nil {
		return err
	}
	table, err := bench(ctx, s, local)
	if err := errors.Join(err, local.Close()); err != nil {
		return err
	}
	table.Print(os.Stdout)
	return nil
}

func bench(ctx context.Context, s settings, local *stack.Stack) (*report.Table, error) {
	empty, err := newEmptyWorkflow(local.TemporalClient())
	if err != nil {
		return nil, err
	}
	defer empty.close()
	idle, one, other := newSource(), newSource(), newSource()
	defer idle.Close()
	defer one.Close()
	defer other.Close()
	m := newMirror(local.FrontEndURLs()[0], s.queued)
	b := &bencher{settings: s, local: local, empty: empty, mirror: m, idle: idle, one: one, other: other}
	if err := b.measure(ctx); err != nil {
		return nil, err
	}
	return b.table(), nil
}

// bencher makes the measurements, and holds their results.
type bencher struct {
	settings
	local            *stack.Stack
	empty            *emptyWorkflow
	mirror           *mirror
	idle, one, other *source
	figures
}
