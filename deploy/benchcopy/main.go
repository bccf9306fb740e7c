// Command benchcopy measures the copying of single objects: this product's engine as the worker runs it (package copier),
// `rclone copyurl` if it is installed, and as the limit a plain GET to nowhere followed by a PUT from memory. It prints
// ratios, which say more than seconds on a noisy machine, and marks the targets that were missed; a missed target is no
// failure.
//
// Every measured copy is a process of its own, timed from its start to its end: its CPU time and its peak resident memory
// are what wait4 says. The sources are a process of their own as well, so that their CPU time is nobody's. The S3 server's
// is not counted either, but it takes it from the same processors.
//
// It needs an S3 server that it does not start: run it by `make bench-copy`.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// timeout bounds everything together.
const timeout = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	err := run(ctx, os.Args[1:])
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchcopy:", err)
		os.Exit(1)
	}
}

// The subcommands that this program gives to itself. Each but the sources takes its task as JSON and writes an outcome.
const (
	runSources = "sources"
	runCopy    = "copy"
	runLimit   = "limit"
)

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == runSources {
		return serveSources(os.Stdin, os.Stdout)
	}
	if len(args) == 2 && (args[0] == runCopy || args[0] == runLimit) {
		return measured(ctx, args[0], args[1])
	}
	t, err := flags(args)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, t)
	if err != nil {
		return err
	}
	rows, err := b.measure(ctx)
	err = errors.Join(err, b.close())
	if err != nil {
		return err
	}
	fmt.Println(b.describe())
	printTable(os.Stdout, rows)
	return nil
}

// flags are for experiments: what they don't say is the product's default.
func flags(args []string) (t task, err error) {
	def := config.Default()
	set := flag.NewFlagSet("benchcopy", flag.ExitOnError)
	set.TextVar(&t.PartSize, "part-size", def.S3.PartSize, "s3.part_size")
	set.TextVar(&t.Memory, "memory", def.Worker.Memory, "worker.memory")
	set.IntVar(&t.Parts, "parts", def.Worker.Parts, "worker.parts")
	set.StringVar(&t.only, "only", "", "measure only the objects whose description contains this, and nothing else")
	set.StringVar(&t.Profile, "profile", "", "folder for a CPU profile of each of our copies")
	_ = set.Parse(args) // ExitOnError
	if t.Region, t.Endpoint, err = endpoint(os.Getenv("CM_TEST_S3_ENDPOINTS")); err != nil {
		return t, err
	}
	return t, nil
}

// endpoint reads the first of region=url,region=url.
func endpoint(list string) (region, url string, err error) {
	first, _, _ := strings.Cut(list, ",")
	region, url, ok := strings.Cut(first, "=")
	if !ok {
		return "", "", errors.New("CM_TEST_S3_ENDPOINTS is not set: run `make bench-copy`")
	}
	return region, url, nil
}

// task is what a measured process does.
type task struct {
	Region, Endpoint string
	PartSize, Memory config.Size
	Parts            int
	// Before is copied before the others, by a process that is to have its connections and buffers already.
	Before *job
	Copies []job
	// State is a file for the state of the copy, to go on from if it is there; empty is none.
	State   string
	Profile string
	only    string // of the whole benchmark
}

// job is one object's copy, or for the limit its size.
type job struct {
	URL, Key string
	Size     int64
}

// outcome is what a measured process found out by itself.
type outcome struct {
	Way              string
	Fetched, Resumed int64         // bytes
	Get, Put         time.Duration // of the limit
	// Wall and CPU are those of the copies without what came before: the start of the process, and [task.Before].
	Wall, CPU time.Duration
}

// measured is what a measured process runs.
func measured(ctx context.Context, what, arg string) error {
	var t task
	if err := json.Unmarshal([]byte(arg), &t); err != nil {
		return err
	}
	do := copyAll
	if what == runLimit {
		do = copyLimit
	}
	out, err := do(ctx, t)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}
