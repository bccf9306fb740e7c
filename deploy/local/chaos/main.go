package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errViolations is the error of a run in which the auditor found violations.
var errViolations = errors.New("the auditor found violations")

func main() {
	seed := flag.Uint64("seed", 0, "seed of the schedule, the objects and the clients; 0 picks one")
	length := flag.Duration("for", 2*time.Minute, "how long clients run and faults are injected")
	race := flag.Bool("race", true, "build the product with the race detector")
	dry := flag.Bool("n", false, "print the schedule only")
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64N(1_000_000) + 1
	}
	steps := schedule(*seed, *length, frontEnds)
	fmt.Printf("chaos: make chaos SEED=%d FOR=%s\n", *seed, *length)
	printSchedule(os.Stdout, steps)
	if *dry {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *seed, *length, *race, steps); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		stop()
		os.Exit(1) //nolint:gocritic // Stop was called
	}
}
