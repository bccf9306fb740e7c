package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/capacity"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// settings are the flags.
type settings struct {
	seed   uint64
	copies float64 // A second, for which machines are planned
	limits bool
	load   load
	counts map[string]*int // Of machines, by kind; 0 is the planned number
	shards int             // 0 is the planned number
}

func main() { process.Main("simulate", run) }

func flags(args []string) (s settings, err error) {
	set := flag.NewFlagSet("simulate", flag.ExitOnError)
	set.Uint64Var(&s.seed, "seed", 1, "seed of all random times")
	set.Float64Var(&s.copies, "copies", 10_000, "copies a second for which the machines are planned")
	set.IntVar(&s.load.objects, "objects", burstObjects, "cold objects of the burst")
	set.IntVar(&s.load.clients, "clients", burstClients, "clients that request them")
	set.IntVar(&s.load.hosts, "hosts", 20, "source hosts")
	set.DurationVar(&s.load.over, "over", burstOver, "time in which the objects are requested")
	set.BoolVar(&s.limits, "limits", true, "apply the default limits of front ends")
	set.IntVar(&s.shards, "shards", 0, "history shards of each Temporal cluster; 0 is the planned number")
	s.counts = map[string]*int{}
	plan := planned(1, capacity.NewMeasured(), capacity.NewAssumed()) // Only for the kinds of machines.
	for _, m := range plan.Machines() {
		name := strings.ReplaceAll(strings.ToLower(m.Kind), " ", "-")
		s.counts[m.Kind] = set.Int(name, 0, "machines of this kind; 0 is the planned number")
	}
	_ = set.Parse(args) // ExitOnError
	if s.copies <= 0 || min(s.load.objects, s.load.clients, s.load.hosts) < 1 || s.load.over < time.Duration(s.load.objects) {
		return s, errors.New("each number must be at least 1, and -over at least a nanosecond for each object")
	}
	return s, nil
}

func run(_ context.Context, args []string) error {
	s, err := flags(args)
	if err != nil {
		return err
	}
	t := report.New(report.Baseline{Name: "measured run", Column: true})
	m, a := capacity.NewMeasured(), capacity.NewAssumed()
	addPoints(t, m, s.seed)
	plan := s.plan(m, a)
	deployment := sized(plan, m, a)
	if !s.limits {
		deployment.limits = limitOptions{}
	}
	t.Title("machines")
	for _, m := range plan.Machines() {
		t.Add(report.Row{Label: fmt.Sprintf("%s (%s)", m.Kind, m.Type.Name()), Unit: count, Figure: float64(m.Count)})
	}
	t.Add(report.Row{Label: "history shards of each Temporal cluster", Unit: count, Figure: plan.Shards})
	addBurst(t, fmt.Sprintf("%d cold objects of %d hosts, requested by %d clients in %v, seed %d",
		s.load.objects, s.load.hosts, s.load.clients, s.load.over, s.seed), burst(deployment, s.seed, s.load))
	t.Print(os.Stdout)
	return nil
}

// plan returns the machines for -copies, except those that flags give.
func (s settings) plan(m capacity.Measured, a capacity.Assumed) capacity.Plan {
	plan := planned(s.copies, m, a)
	for _, machines := range plan.Machines() {
		if n := *s.counts[machines.Kind]; n > 0 {
			machines.Count = n
		}
	}
	if s.shards > 0 {
		plan.Shards = float64(s.shards)
	}
	return plan
}

// planned returns the machines for a rate of copies with a hundred redirects each.
func planned(copies float64, m capacity.Measured, a capacity.Assumed) capacity.Plan {
	return capacity.NewPlan(capacity.Load{Redirects: 100 * copies, Copies: copies}, m, a, capacity.NewPrices())
}
