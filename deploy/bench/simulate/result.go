package main

import (
	"slices"
	"time"
)

// result holds the counts of a run.
type result struct {
	arrived int
	ends    [outcomes]int
	waits   []time.Duration // Of the clients that no limit refused, as they end
	copies  []time.Duration // The time of each, in order
	closed  int             // Workflows
}

// refused returns the number of requests that a limit refused.
func (r *result) refused() (n int) {
	for _, limit := range []outcome{limitClient, limitBacklog, limitHost, limitWaiters} {
		n += r.ends[limit]
	}
	return n
}

func (r *result) admitted() int { return r.arrived - r.refused() }

// wait returns a quantile of the waits. It is 0 if no client waited.
func (r *result) wait(q float64) time.Duration {
	if len(r.waits) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.waits))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// madeAfter returns the time after which a part of the copies was made.
func (r *result) madeAfter(part float64) time.Duration {
	if len(r.copies) == 0 {
		return 0
	}
	return r.copies[max(0, int(part*float64(len(r.copies)))-1)]
}

// rate returns the copies a second until the last copy.
func (r *result) rate() float64 {
	return float64(len(r.copies)) / max(1e-9, r.madeAfter(1).Seconds())
}

// crowd requests objects by a number of clients. Each one requests one object at a time.
func crowd(p parameters, seed uint64, objects, clients int) *system {
	s := newSystem(p, seed, clients, 1)
	left := objects
	var next func(client int)
	next = func(client int) {
		if left > 0 {
			left--
			s.request(client, 0, func() { next(client) })
		}
	}
	for client := range clients {
		next(client)
	}
	s.run(func() bool { return left == 0 && s.settled() })
	return s
}

// load is a burst of new objects, or a constant load if it takes long.
type load struct {
	objects, clients, hosts int
	over                    time.Duration
}

// burst requests objects at random times: the time between two of them has an exponential
// distribution. Each has a random client and a random source host.
func burst(p parameters, seed uint64, l load) *system {
	s := newSystem(p, seed, l.clients, l.hosts)
	left, between := l.objects, exponential(l.over/time.Duration(l.objects))
	var next func()
	next = func() {
		left--
		s.request(s.random.IntN(l.clients), s.random.IntN(l.hosts), func() {})
		if left > 0 {
			s.pause(between)(next)
		}
	}
	next()
	s.run(func() bool { return left == 0 && s.settled() })
	return s
}
