package main

import (
	"math"
	"math/rand/v2"
	"time"
)

// engine runs events in the order of their times. Events of the same time run in the order in which
// they were scheduled, so that the seed alone decides a run.
type engine struct {
	now    time.Duration
	events []event // A binary heap
	order  uint64
	random *rand.Rand
}

type event struct {
	at    time.Duration
	order uint64
	run   func()
}

func newEngine(seed uint64) *engine {
	return &engine{random: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // No secrets
}

func (a event) before(b event) bool { return a.at < b.at || a.at == b.at && a.order < b.order }

// after schedules f for d from now.
func (e *engine) after(d time.Duration, f func()) {
	e.order++
	e.events = append(e.events, event{e.now + d, e.order, f})
	for i := len(e.events) - 1; i > 0; {
		parent := (i - 1) / 2
		if !e.events[i].before(e.events[parent]) {
			break
		}
		e.events[i], e.events[parent] = e.events[parent], e.events[i]
		i = parent
	}
}

// run runs events until none is left, or until stop returns true after an event.
func (e *engine) run(stop func() bool) {
	for len(e.events) > 0 {
		next := e.next()
		e.now = next.at
		if next.run(); stop() {
			return
		}
	}
}

// next removes the first event.
func (e *engine) next() event {
	first, last := e.events[0], len(e.events)-1
	e.events[0], e.events[last] = e.events[last], event{}
	e.events = e.events[:last]
	for i := 0; ; {
		least := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < last && e.events[child].before(e.events[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		e.events[i], e.events[least] = e.events[least], e.events[i]
		i = least
	}
}

// span is the distribution of a time.
type span struct {
	mean  time.Duration
	sigma float64 // Of the logarithm; negative for an exponential distribution
}

func exponential(mean time.Duration) span { return span{mean, -1} }
func fixed(mean time.Duration) span       { return span{mean, 0} }

// logNormal returns the log-normal distribution with this mean and p99. A p99 of more than 14 times
// the mean is cut, since no such distribution exceeds 14.97.
func logNormal(mean, p99 time.Duration) span {
	const z = 2.3263478740408408 // The p99 of the normal distribution
	ratio := min(max(1, float64(p99)/float64(mean)), 14)
	return span{mean, z - math.Sqrt(z*z-2*math.Log(ratio))}
}

// times returns the distribution of f times as long a time.
func (s span) times(f float64) span { return span{time.Duration(float64(s.mean) * f), s.sigma} }

func (s span) draw(r *rand.Rand) time.Duration {
	switch {
	case s.sigma < 0:
		return time.Duration(float64(s.mean) * r.ExpFloat64())
	case s.sigma == 0:
		return s.mean
	default:
		return time.Duration(float64(s.mean) * math.Exp(s.sigma*r.NormFloat64()-s.sigma*s.sigma/2))
	}
}
