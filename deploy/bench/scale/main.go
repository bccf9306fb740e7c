package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// runClients is the subcommand of the clients' process. Its argument is a task as JSON.
const runClients = "clients"

// limit bounds the whole run.
const limit = time.Hour

func main() { process.MainFor("bench-scale", limit, run) }

// settings are the flags, for experiments.
type settings struct {
	binary string
	rounds int           // Of hits, of which the median counts
	length time.Duration // Of one measurement of hits
	every  time.Duration // Between two hits
	copies int           // That a measurement of workflows makes
	open   int           // Open runs
	window time.Duration // In which cold requests beside a backlog start
	only   []section
}

// section measures one kind of growth.
type section struct {
	name  string // For -only
	title string
	sizes []int
	run   func(context.Context, settings, []int) (result, error)
}

func sections() []section {
	return []section{
		{"hits", "A hit, by objects known", []int{1000, 100_000, 1_000_000}, hits},
		{"connections", "A hit, by keep-alive connections", []int{100, 1000, 10_000}, connections},
		{"workflows", "A cold copy, by closed workflows in Temporal's database", []int{100, 10_000, 100_000}, workflows},
		{"backlog", "A cold request, by copy requests of lists in the queue", []int{1000, 10_000, 100_000}, backlog},
	}
}

func flags(args []string) (s settings, err error) {
	var only, sizes string
	var rate int
	set := flag.NewFlagSet("bench-scale", flag.ExitOnError)
	set.StringVar(&s.binary, "binary", ".cache/bin/cloud-mirror", "the cloud-mirror to measure")
	set.StringVar(&only, "only", "", "sections to run, e.g. hits,backlog; all if empty")
	set.StringVar(&sizes, "sizes", "", "sizes of the only section, e.g. 1000,100000")
	set.IntVar(&s.rounds, "rounds", 3, "rounds of hits, of which the median counts")
	set.DurationVar(&s.length, "for", 6*time.Second, "length of one measurement of hits")
	set.IntVar(&rate, "hits", 3000, "hits per second")
	set.IntVar(&s.copies, "copies", 240, "copies of one measurement of workflows")
	set.IntVar(&s.open, "open", 10_000, "open runs in the last measurement of workflows; 0 leaves it out")
	set.DurationVar(&s.window, "window", 30*time.Second, "time in which cold requests beside a backlog start")
	_ = set.Parse(args) // ExitOnError
	if s.rounds < 1 || s.length < time.Second || rate < 1 || s.copies < 1 || s.open < 0 || s.window < time.Second {
		return s, errors.New("-rounds, -hits and -copies must be at least 1, and -for and -window at least 1s")
	}
	s.every = time.Second / time.Duration(rate)
	if s.binary, err = filepath.Abs(s.binary); err != nil {
		return s, err
	}
	s.only, err = selected(only, sizes)
	return s, err
}

// selected returns the sections of a comma-separated list of names, with other sizes if there are
// any. An empty list selects all.
func selected(only, sizes string) (list []section, err error) {
	list, err = process.Only(only, "section", sections(), func(s section) string { return s.name })
	if err != nil {
		return nil, err
	}
	if sizes == "" {
		return list, nil
	}
	if len(list) != 1 {
		return nil, errors.New("-sizes needs one section: set -only")
	}
	list[0].sizes = nil
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-sizes: %q is not a positive number", text)
		}
		list[0].sizes = append(list[0].sizes, n)
	}
	if !slices.IsSorted(list[0].sizes) {
		return nil, errors.New("-sizes: the smallest comes first")
	}
	return list, nil
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == runClients {
		return serveClients(ctx, args[1])
	}
	s, err := flags(args)
	if err != nil {
		return err
	}
	fmt.Print(describe(s))
	for _, section := range s.only {
		say("%s", section.title)
		start := time.Now()
		r, err := section.run(ctx, s, section.sizes)
		if err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
		r.title = fmt.Sprintf("%s (%s)", section.title, time.Since(start).Round(time.Second))
		r.print(os.Stdout)
	}
	return nil
}

// say reports progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
