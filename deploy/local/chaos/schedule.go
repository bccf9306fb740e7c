package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// kind is a kind of fault.
type kind string

const (
	kill     kind = "kill"     // SIGKILL; the supervisor restarts the process
	freeze   kind = "freeze"   // SIGSTOP until the end of the fault
	cut      kind = "cut"      // The network drops connections
	slow     kind = "slow"     // The network delays replies
	lose     kind = "lose"     // The server handles the request, and the reply is lost
	full     kind = "full"     // A redis without memory
	readOnly kind = "readonly" // A redis that is a replica
)

// fault is a fault of one part.
type fault struct {
	Target string
	Kind   kind
}

func (f fault) String() string { return f.Target + " " + string(f.Kind) }

// step is one or two faults at the same time.
type step struct {
	At, For time.Duration // Since the start of the schedule
	Faults  []fault
}

const (
	firstStep      = 3 * time.Second
	shortestFault  = 1500 * time.Millisecond
	longestFault   = 4 * time.Second
	shortestBreak  = 2 * time.Second
	longestBreak   = 4 * time.Second
	undisturbedEnd = 5 * time.Second
)

const bridges = "bridges" // All workers: their bridges share the queue

// allFaults returns every fault that can be injected.
func allFaults(frontEnds int) []fault {
	var all []fault
	add := func(target string, kinds ...kind) {
		for _, k := range kinds {
			all = append(all, fault{target, k})
		}
	}
	for i := range frontEnds {
		add(stack.FrontEndName(i), kill, freeze, cut, slow, lose)
	}
	for _, region := range stack.Regions() {
		add(stack.WorkerName(region), kill, freeze)
		add(stack.S3Name(region), kill, freeze, cut, slow, lose)
	}
	add(bridges, kill, freeze)
	add("redis", kill, freeze, cut, slow, lose, full, readOnly)
	add("temporal", kill, freeze, cut, slow, lose)
	add("sqs", kill, freeze, cut, slow, lose)
	add("origin", kill, freeze, cut, slow, lose)
	return all
}

// schedule returns the steps of a run. Each deck of faults is dealt whole before it is shuffled
// again, so that a long run injects all of them equally often.
func schedule(seed uint64, length time.Duration, frontEnds int) []step {
	r := rand.New(rand.NewPCG(seed, 1))
	var deck []fault
	deal := func() fault {
		if len(deck) == 0 {
			deck = allFaults(frontEnds)
			r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		f := deck[0]
		deck = deck[1:]
		return f
	}
	between := func(low, high time.Duration) time.Duration {
		return (low + time.Duration(r.Int64N(int64(high-low)))).Round(100 * time.Millisecond)
	}
	var steps []step
	for at := firstStep; ; {
		s := step{At: at, For: between(shortestFault, longestFault), Faults: []fault{deal()}}
		if at > length/2 {
			for len(s.Faults) < 2 {
				if f := deal(); f.Target != s.Faults[0].Target {
					s.Faults = append(s.Faults, f)
				}
			}
		}
		if s.At+s.For+undisturbedEnd > length {
			return steps
		}
		steps = append(steps, s)
		at += s.For + between(shortestBreak, longestBreak)
	}
}

// printSchedule prints a line for each step.
func printSchedule(w io.Writer, steps []step) {
	for _, s := range steps {
		var names []string
		for _, f := range s.Faults {
			names = append(names, f.String())
		}
		fmt.Fprintf(w, "  %7s  for %5s  %s\n", s.At, s.For, strings.Join(names, " + "))
	}
}

// targets returns the parts of the system that a fault is injected into.
func (f fault) targets() []string {
	if f.Target != bridges {
		return []string{f.Target}
	}
	var all []string
	for _, region := range stack.Regions() {
		all = append(all, stack.WorkerName(region))
	}
	return all
}
