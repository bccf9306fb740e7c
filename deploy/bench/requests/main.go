package main

import (
	"context"
	"errors"
	"flag"
	"net/http/httptest"
	"os"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
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

func main() { process.Main("bench", run) }

func flags(args []string) (s settings, err error) {
	set := flag.NewFlagSet("bench", flag.ExitOnError)
	set.StringVar(&s.binary, "binary", "", "the cloud-mirror to measure; by default one built from this checkout")
	set.IntVar(&s.firsts, "firsts", 20, "first requests, one after the other")
	set.IntVar(&s.hits, "hits", 500, "next requests, one after the other")
	set.IntVar(&s.crowd, "crowd", 500, "first requests of the crowd")
	set.IntVar(&s.clients, "clients", 50, "clients in the crowd")
	_ = set.Parse(args) // ExitOnError
	if s.firsts < 1 || s.hits < 1 || s.crowd < 1 || s.clients < 1 {
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
