package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/signal"
	"syscall"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// settings are the flags, for experiments.
type settings struct {
	binary  string
	firsts  int // first requests, one after the other
	hits    int // next requests
	crowd   int // objects of the crowd
	clients int // that request them, each one object at a time
}

func main() {
	var s settings
	flag.StringVar(&s.binary, "binary", "", "the cloud-mirror to measure; by default one built from this checkout")
	flag.IntVar(&s.firsts, "firsts", 20, "first requests, one after the other")
	flag.IntVar(&s.hits, "hits", 500, "next requests, one after the other")
	flag.IntVar(&s.crowd, "crowd", 500, "first requests of the crowd")
	flag.IntVar(&s.clients, "clients", 50, "clients in the crowd")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.firsts < 1 || s.hits < 1 || s.crowd < 1 || s.clients < 1 {
		return errors.New("each number must be at least 1")
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
	local, err := stack.Start(ctx, stack.Options{Root: root, StateDir: dir, Binary: s.binary, Log: os.Stderr})
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
	empty, err := newEmptyWorkflow(local.TemporalAddress())
	if err != nil {
		return nil, err
	}
	defer empty.close()
	source := httptest.NewServer(serveObject())
	defer source.Close()
	m := newMirror(local.FrontEndURLs()[0], source.URL, s.clients)
	f, err := measure(ctx, s, m, empty)
	if err != nil {
		return nil, err
	}
	return f.table(s), nil
}
