// Command benchredirect measures redirects: a front end that answers from memory, and one that reads redis for every
// request, beside a bare httprouter that answers the same. It prints ratios, which say more than rates on a noisy machine,
// and marks the targets that were missed; a missed target is no failure. Then it measures what entries cost in memory, and
// how soon clients who wait for a copy are told that it is there.
//
// Front ends are the product's own process, and so is the bare router; redis is a real one, of this program's. The load is
// wrk's. Nothing on the way of a hit asks S3 or SQS; where a first request does, stubs answer.
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
)

// timeout bounds everything together.
const timeout = 10 * time.Minute

// runBare is the subcommand that this program gives to itself.
const runBare = "bare"

func main() {
	if len(os.Args) > 1 && os.Args[1] == runBare {
		exit(serveBare(os.Args[2:]))
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
		fmt.Fprintln(os.Stderr, "benchredirect:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// settings are for experiments.
type settings struct {
	binary      string
	rounds      int
	length      time.Duration // of one measurement of one server
	connections int
	entries     int // for what they cost
}

func run(ctx context.Context) error {
	var s settings
	flag.StringVar(&s.binary, "binary", ".cache/bin/cloud-mirror", "the product")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds, of which the median counts")
	flag.DurationVar(&s.length, "for", 4*time.Second, "length of one measurement")
	flag.IntVar(&s.connections, "connections", 32, "connections at a time")
	flag.IntVar(&s.entries, "entries", 200_000, "entries for what they cost")
	flag.Parse()
	for _, program := range []string{"wrk", "redis-server"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing; install it with your package manager, e.g. apt-get install %s", program, program)
		}
	}
	h, err := newHouse(ctx, s)
	if err != nil {
		return err
	}
	t := &table{}
	for _, measure := range []func(context.Context, *house, *table) error{rates, costs, wakes} {
		if err = measure(ctx, h, t); err != nil {
			break
		}
	}
	t.print(os.Stdout)
	return errors.Join(err, h.close())
}
