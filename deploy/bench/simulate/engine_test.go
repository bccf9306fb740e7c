package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestEventsRunInTheOrderOfTheirTimes(t *testing.T) {
	e, random := newEngine(1), rand.New(rand.NewPCG(1, 1))
	type mark struct {
		at    time.Duration
		order int
	}
	var ran []mark
	for i := range 1000 {
		at := time.Duration(random.IntN(50))
		e.after(at, func() {
			if e.now != at {
				t.Errorf("an event of %v runs at %v", at, e.now)
			}
			ran = append(ran, mark{at, i})
		})
	}
	e.run(func() bool { return false })
	before := func(a, b mark) int { return int(a.at-b.at)*1000 + a.order - b.order }
	if len(ran) != 1000 || !slices.IsSortedFunc(ran, before) {
		t.Errorf("%d events ran, or not in their order", len(ran))
	}
}

// meanWait returns the mean time before service of n customers. Each customer arrives an
// exponential time after the former one.
func meanWait(servers, n int, between time.Duration, service span) float64 {
	e := newEngine(7)
	s := newStation(e, servers)
	var sum time.Duration
	var arrive func()
	arrive = func() {
		n--
		since := e.now
		s.acquire(func() {
			sum += e.now - since
			e.pause(service)(func() { s.free(func() {}) })
		})
		if n > 0 {
			e.pause(exponential(between))(arrive)
		}
	}
	all := float64(n)
	arrive()
	e.run(func() bool { return false })
	return sum.Seconds() / all
}

const customers = 1_000_000

// erlangC returns the mean wait in a queue M/M/c, in units of the mean service.
func erlangC(servers int, load float64) float64 {
	offered, term, sum := load*float64(servers), 1.0, 0.0
	for k := range servers {
		sum += term
		term *= offered / float64(k+1)
	}
	waits := term / (1 - load) / (sum + term/(1-load)) // The probability of a wait.
	return waits / (float64(servers) * (1 - load))
}

func TestWaitsAgreeWithErlangC(t *testing.T) {
	if got := erlangC(1, .5); got != 1 { // ρ/(1-ρ)
		t.Fatalf("the formula gives %v for one server, want 1", got)
	}
	const service = time.Second
	for _, c := range []struct {
		servers int
		load    float64
	}{{1, .5}, {1, .8}, {2, .8}, {8, .9}, {16, .8}} {
		between := time.Duration(float64(service) / (c.load * float64(c.servers)))
		got, want := meanWait(c.servers, customers, between, exponential(service)), erlangC(c.servers, c.load)
		if math.Abs(got/want-1) > .06 {
			t.Errorf("%d servers at a load of %v: mean wait %v, want %v", c.servers, c.load, got, want)
		}
	}
}

// The formula of Pollaczek and Khinchine holds for any distribution of the service.
func TestWaitsAgreeWithPollaczekAndKhinchine(t *testing.T) {
	service, load := time.Second, .7
	for name, s := range map[string]span{"fixed": fixed(service), "log-normal": logNormal(service, 3*service)} {
		variance := math.Exp(s.sigma*s.sigma) - 1 // Of the service, in units of the mean
		want := load / (1 - load) * (1 + variance) / 2
		got := meanWait(1, customers, time.Duration(float64(service)/load), s)
		if math.Abs(got/want-1) > .06 {
			t.Errorf("%s: mean wait %v, want %v", name, got, want)
		}
	}
}

func TestLogNormalHasItsMeanAndP99(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for _, p99 := range []time.Duration{time.Second, 2 * time.Second, 6 * time.Second} {
		s, sum := logNormal(time.Second, p99), time.Duration(0)
		all := make([]time.Duration, 400_000)
		for i := range all {
			all[i] = s.draw(random)
			sum += all[i]
		}
		slices.Sort(all)
		mean, measured := sum.Seconds()/float64(len(all)), all[len(all)*99/100].Seconds()
		if math.Abs(mean-1) > .02 || math.Abs(measured/p99.Seconds()-1) > .04 {
			t.Errorf("a p99 of %v: mean %v, p99 %v", p99, mean, measured)
		}
	}
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	var q queue[int]
	next, random := 0, rand.New(rand.NewPCG(5, 5))
	for i := range 20_000 {
		q.push(i)
		for q.len() > 0 && random.IntN(10) < 4 {
			if got := q.pop(); got != next {
				t.Fatalf("got %d, want %d", got, next)
			}
			next++
		}
	}
	if next < 5000 || next+q.len() != 20_000 {
		t.Errorf("%d left the queue, and %d are in it", next, q.len())
	}
}
