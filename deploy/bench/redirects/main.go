package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// timeout bounds the whole benchmark.
const timeout = 10 * time.Minute

// runBare is the subcommand that this program runs as another process.
const runBare = "bare"

func main() {
	if len(os.Args) == 6 && os.Args[1] == runBare {
		exit(serveBare(os.Args[2], os.Args[3], os.Args[4], os.Args[5]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	err := run(ctx)
	cancel()
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-redirect:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// settings are the flags, for experiments.
type settings struct {
	binary      string
	rounds      int
	length      time.Duration // of one measurement of one server
	connections int
	entries     int // to measure the memory of
}

func flags() (s settings, err error) {
	flag.StringVar(&s.binary, "binary", ".cache/bin/cloud-mirror", "the cloud-mirror to measure")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds, of which the median counts")
	flag.DurationVar(&s.length, "for", 4*time.Second, "length of one measurement, in whole seconds")
	flag.IntVar(&s.connections, "connections", 32, "connections of wrk")
	flag.IntVar(&s.entries, "entries", 200_000, "entries to measure the memory of")
	flag.Parse()
	if s.entries <= warmUp || s.rounds < 1 {
		return s, fmt.Errorf("-entries must be more than %d, and -rounds at least 1", warmUp)
	}
	return s, nil
}

func run(ctx context.Context) error {
	s, err := flags()
	if err != nil {
		return err
	}
	for _, program := range []string{"wrk", "redis-server"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing; install it with your package manager, e.g. apt-get install %s", program, program)
		}
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
