package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// runBare is the subcommand that this program runs as another process.
const runBare = "bare"

func main() { process.Main("bench-redirect", run) }

// settings are the flags, for experiments.
type settings struct {
	binary      string
	rounds      int
	length      time.Duration // Of one measurement of one server
	connections int
	entries     int // To measure the memory of
}

func flags(args []string) (s settings, err error) {
	set := flag.NewFlagSet("bench-redirect", flag.ExitOnError)
	set.StringVar(&s.binary, "binary", ".cache/bin/cloud-mirror", "the cloud-mirror to measure")
	set.IntVar(&s.rounds, "rounds", 5, "rounds, of which the median counts")
	set.DurationVar(&s.length, "for", 4*time.Second, "length of one measurement, in whole seconds")
	set.IntVar(&s.connections, "connections", 32, "connections of wrk")
	set.IntVar(&s.entries, "entries", 200_000, "entries to measure the memory of")
	_ = set.Parse(args) // ExitOnError
	if s.entries <= warmUp || s.rounds < 1 {
		return s, fmt.Errorf("-entries must be more than %d, and -rounds at least 1", warmUp)
	}
	return s, nil
}

func run(ctx context.Context, args []string) error {
	if len(args) == 5 && args[0] == runBare {
		return serveBare(args[1], args[2], args[3], args[4])
	}
	s, err := flags(args)
	if err != nil {
		return err
	}
	if err := process.Need("wrk"); err != nil {
		return err
	}
	f, err := newFixture(ctx, s)
	if err != nil {
		return err
	}
	t := report.New(report.Baseline{Name: "bare router"})
	for _, measure := range []func(context.Context, *fixture, *report.Table) error{rates, memory, wakes} {
		if err = measure(ctx, f, t); err != nil {
			break
		}
	}
	t.Print(os.Stdout)
	return errors.Join(err, f.close())
}
