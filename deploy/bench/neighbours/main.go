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

// The subcommands that this program runs as other processes. The sources take their addresses. The
// clients and the attacker take a task as JSON.
const (
	runSources  = "sources"
	runClients  = "clients"
	runAttacker = "attacker"
)

func main() { process.Main("bench-neighbours", run) }

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 3 && args[0] == runSources:
		return serveSources(args[1], args[2])
	case len(args) == 2 && args[0] == runClients:
		return runPhase(ctx, args[1])
	case len(args) == 3 && args[0] == runAttacker:
		return serveAttack(ctx, args[1], args[2])
	}
	s, err := flags(args)
	if err != nil {
		return err
	}
	if err := process.Need("redis-server"); err != nil {
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
	binary               string
	quiet, lead, beside  time.Duration // Of the phases of each attack
	hitsEvery, coldEvery time.Duration
	files                int // Descriptors of the front end
	attacks              []attack
}

func flags(args []string) (s settings, err error) {
	var only string
	var hits, cold int
	set := flag.NewFlagSet("bench-neighbours", flag.ExitOnError)
	set.StringVar(&s.binary, "binary", ".cache/bin/cloud-mirror", "the cloud-mirror to measure")
	set.DurationVar(&s.quiet, "quiet", 10*time.Second, "length of a quiet phase")
	set.DurationVar(&s.lead, "lead", 5*time.Second, "how long an attack runs before its effect is measured")
	set.DurationVar(&s.beside, "beside", 15*time.Second, "length of a phase beside an attack")
	set.IntVar(&hits, "hits", 200, "requests of existing copies per second")
	set.IntVar(&cold, "cold", 4, "requests of new objects per second")
	set.IntVar(&s.files, "files", 2000, "limit of the front end's descriptors")
	set.StringVar(&only, "only", "", "attacks to run, e.g. idle,redis; all if empty")
	_ = set.Parse(args) // ExitOnError
	if hits < 1 || cold < 1 || min(s.quiet, s.beside) < time.Second || s.lead < 0 {
		return s, errors.New("-hits and -cold must be at least 1, and -quiet and -beside at least 1s")
	}
	s.hitsEvery, s.coldEvery = time.Second/time.Duration(hits), time.Second/time.Duration(cold)
	if s.binary, err = filepath.Abs(s.binary); err != nil {
		return s, err
	}
	s.attacks, err = selected(only)
	return s, err
}

// selected returns the attacks of a comma-separated list of names. An empty list selects all.
func selected(only string) ([]attack, error) {
	return process.Only(only, "attack", attacks(), func(x attack) string { return x.name })
}

// measure runs each attack. It returns the results of the attacks before an error as well.
func (s settings) measure(ctx context.Context) (results []result, err error) {
	for _, a := range s.attacks {
		r, err := s.one(ctx, a)
		if err != nil {
			return results, fmt.Errorf("%s: %w", a.name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// one measures an attack on a system of its own.
func (s settings) one(ctx context.Context, a attack) (r result, err error) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), a)
	sys, err := startSystem(ctx, s)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	r.attack = a
	if _, err := sys.phase(ctx, warmUp); err != nil { // Opens connections
		return r, err
	}
	if r.quiet, err = sys.phase(ctx, s.quiet); err != nil {
		return r, err
	}
	if r.quietMemory, err = sys.peakMemory(); err != nil {
		return r, err
	}
	end, err := a.start(ctx, sys)
	if err != nil {
		return r, err
	}
	if load.Wait(ctx, s.lead); ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	if r.beside, err = sys.phase(ctx, s.beside); err != nil {
		return r, err
	}
	if r.besideMemory, err = sys.peakMemory(); err != nil {
		return r, err
	}
	r.effort, err = end(ctx)
	return r, err
}
