package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// The subcommands that this program runs as other processes. Each takes a task as JSON, and the
// crowd a control address before it.
const (
	runHits  = "hits"
	runCrowd = "crowd"
)

// limit bounds the whole run.
const limit = 30 * time.Minute

func main() { process.MainFor("bench-hits", limit, run) }

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == runHits:
		return serveHits(ctx, args[1])
	case len(args) == 3 && args[0] == runCrowd:
		return serveCrowd(ctx, args[1], args[2])
	}
	s, err := flags(args)
	if err != nil {
		return err
	}
	if err := process.Need("redis-server"); err != nil {
		return err
	}
	if err := process.AllowFiles(uint64(s.waiters)*5/4 + 1000); err != nil { //nolint:gosec // It is positive
		return err
	}
	results, err := s.measure(ctx)
	if len(results) > 0 {
		fmt.Print(describe(s))
		printTable(os.Stdout, results)
	}
	return err
}

// settings are the flags, for experiments.
type settings struct {
	binary        string
	quiet, beside time.Duration // Of the phases of each row
	every         time.Duration // Between two hits
	copies        int           // Cold objects that are copied
	waiters       int           // Clients that wait
	only          []background
}

func flags(args []string) (s settings, err error) {
	var only string
	var rate int
	set := flag.NewFlagSet("bench-hits", flag.ExitOnError)
	set.StringVar(&s.binary, "binary", ".cache/bin/cloud-mirror", "the cloud-mirror to measure")
	set.DurationVar(&s.quiet, "quiet", 15*time.Second, "length of a quiet phase")
	set.DurationVar(&s.beside, "beside", 20*time.Second, "length of a phase beside other work")
	set.IntVar(&rate, "hits", 300, "hits per second")
	set.IntVar(&s.copies, "copies", 1000, "cold objects that are copied")
	set.IntVar(&s.waiters, "waiters", 10_000, "clients that wait")
	set.StringVar(&only, "only", "", "rows to run, e.g. copies,freeze; all if empty")
	_ = set.Parse(args) // ExitOnError
	if rate < 1 || s.copies < 1 || s.waiters < waitedObjects || min(s.quiet, s.beside) < 3*time.Second {
		return s, fmt.Errorf("-hits and -copies must be at least 1, -waiters at least %d, and -quiet and -beside at least 3s", waitedObjects)
	}
	s.every = time.Second / time.Duration(rate)
	if s.binary, err = filepath.Abs(s.binary); err != nil {
		return s, err
	}
	s.only, err = selected(only)
	return s, err
}

// selected returns the rows of a comma-separated list of names. An empty list selects all.
func selected(only string) ([]background, error) {
	return process.Only(only, "row", backgrounds(), func(x background) string { return x.name })
}

// measure measures each row. It returns the results of the rows before an error as well.
func (s settings) measure(ctx context.Context) (results []result, err error) {
	for _, b := range s.only {
		r, err := s.one(ctx, b)
		if err != nil {
			return results, fmt.Errorf("%s: %w", b.name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// morePhases is how many phases a row may have until its work has happened.
const morePhases = 5

// one measures a row on a system of its own.
func (s settings) one(ctx context.Context, b background) (r result, err error) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), b)
	sys, err := startSystem(ctx, s, b.sentinels)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	if b.niced {
		if err := sys.niceOthers(); err != nil {
			return r, err
		}
	}
	r.background = b
	if _, err := sys.phase(ctx, warmUp); err != nil { // Opens connections
		return r, err
	}
	if r.quiet, err = sys.phase(ctx, s.quiet); err != nil {
		return r, err
	}
	work, err := b.start(ctx, sys)
	if err != nil {
		return r, err
	}
	defer work.stop()
	for range morePhases {
		one, err := sys.phase(ctx, s.beside)
		if err != nil {
			return r, err
		}
		r.beside = r.beside.and(one)
		done, err := work.done(ctx)
		if err != nil {
			return r, err
		}
		if done {
			r.effort, err = work.effort(ctx)
			return r, err
		}
	}
	counts, err := work.effort(ctx)
	return r, errors.Join(err, fmt.Errorf("after %d phases: %s", morePhases, counts))
}

// and joins two phases.
func (p phase) and(q phase) phase {
	if p.Length == 0 {
		return q
	}
	share := p.Length.Seconds() / (p.Length + q.Length).Seconds()
	return phase{
		Hits: load.Merge(p.Hits, q.Hits), Length: p.Length + q.Length,
		Idle: share*p.Idle + (1-share)*q.Idle, FrontEnd: share*p.FrontEnd + (1-share)*q.FrontEnd,
	}
}
