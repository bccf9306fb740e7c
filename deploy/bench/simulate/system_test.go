package main

import (
	"bytes"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/capacity"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

var update = flag.Bool("update", false, "write the simulated bursts into deploy/CAPACITY.md")

// small is a deployment on the machines for a few copies a second.
func small(copies float64) parameters {
	m, a := capacity.NewMeasured(), capacity.NewAssumed()
	return sized(planned(copies, m, a), m, a)
}

// off reports whether a simulated point is more than 20 % from the measured one.
func (p point) off(s *system) bool {
	return math.Abs(s.rate()/p.rate.Value-1) > .2 || math.Abs(s.wait(.5).Seconds()/p.median.Value-1) > .2
}

func TestMeasuredPointsAreReproduced(t *testing.T) {
	m := capacity.NewMeasured()
	for _, p := range points(m) {
		for seed := range uint64(3) {
			s := crowd(p.p, seed, pointObjects, pointClients)
			if p.off(s) || s.ends[copied] != pointObjects {
				t.Errorf("%s: %.1f copies a second with a median of %v, measured %v and %v s",
					p.name, s.rate(), s.wait(.5), p.rate.Value, p.median.Value)
			}
		}
	}
	// The control: a copy that costs Temporal twice as much is off.
	for i, p := range points(m) {
		for _, c := range []struct{ machine, temporal *capacity.Figure }{
			{&m.DevMachine, &m.TemporalCPU}, {&m.ClusterMachine, &m.ClusterCPU},
		} {
			c.machine.Value += c.temporal.Value
			c.temporal.Value *= 2
		}
		slower := points(m)[i]
		if s := crowd(slower.p, 1, pointObjects, pointClients); !slower.off(s) {
			t.Errorf("%s: %.1f copies a second even with twice as much CPU", p.name, s.rate())
		}
		m = capacity.NewMeasured()
	}
}

func TestEachRequestEndsInOneWay(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var ends [outcomes]int
	waiting := 0
	for range 40 {
		p := small(1 + 100*random.Float64())
		p.maxWait = time.Duration(random.IntN(10_000)) * time.Millisecond
		p.limits = limitOptions{
			clientRate: float64(random.IntN(3)), clientBurst: 20, hostRate: float64(random.IntN(3)) * 5, hostBurst: 50,
			waiters: random.IntN(1000), backlog: random.IntN(50), backlogAge: time.Duration(random.IntN(2)) * time.Second,
		}
		p.slots = 1 + random.IntN(20)
		s := newSystem(p, random.Uint64(), 20, 5)
		left, until := 1000, time.Duration(random.IntN(20_000))*time.Millisecond
		var next func()
		next = func() {
			s.request(random.IntN(20), random.IntN(5), func() {})
			if left--; left > 0 {
				s.pause(exponential(10 * time.Millisecond))(next)
			}
		}
		next()
		s.run(func() bool { return s.now > until })
		sum := s.limits.waiters
		for end, n := range s.ends {
			sum += n
			ends[end] += n
		}
		waiting += s.limits.waiters
		answers := s.ends[copied] + s.ends[waitOver]
		if sum != s.arrived || s.closed > len(s.copies) || len(s.copies) > s.admitted() || len(s.waits) != answers {
			t.Fatalf("%d requests, %v ended and %d wait; %d copies and %d closed workflows",
				s.arrived, s.ends, s.limits.waiters, len(s.copies), s.closed)
		}
		s.run(func() bool { return left == 0 && s.settled() })
		inUse := s.limits.waiters + s.slots.busy + s.messages.length
		if inUse != 0 || s.closed != len(s.copies) || len(s.copies) != s.admitted() {
			t.Fatalf("%d wait and %d slots are in use after the end: %d admitted, %d copies, %d closed",
				s.limits.waiters, s.slots.busy, s.admitted(), len(s.copies), s.closed)
		}
	}
	for end, n := range ends {
		if n == 0 {
			t.Errorf("no request ended as %d", end)
		}
	}
	if waiting == 0 {
		t.Error("no request still waited")
	}
}

func TestSeedDecidesARun(t *testing.T) {
	output := func(seed uint64) string {
		table := report.New()
		addBurst(table, "burst", burst(small(50), seed, load{2000, 100, 3, 2 * time.Second}))
		var b bytes.Buffer
		table.Print(&b)
		return b.String()
	}
	if first, second := output(1), output(1); first != second {
		t.Errorf("one seed gives two outputs:\n%s\n%s", first, second)
	}
	if output(1) == output(2) {
		t.Error("two seeds give one output")
	}
}

// A lone object takes the sum of its times.
func TestLoneObjectDoesNotWait(t *testing.T) {
	p := small(1)
	c, want := &p.times, time.Duration(0)
	const before = beforeWake
	for i, part := range []struct {
		time *span
		n    int // How often a copy needs the part before its client has the answer
	}{
		{&c.frontEnd, 1}, {&c.bridge, 1}, {&c.worker, 1}, {&c.storage, 1}, {&c.lookup, 1}, {&c.send, 1}, {&c.receive, 1},
		{&c.source, 1}, {&c.put, 1}, {&c.publish, 1}, {&c.remove, 0},
		{&c.history, before}, {&c.matching, before}, {&c.gateway, before}, {&c.database, before}, {&c.commit, before},
	} {
		*part.time = fixed(time.Duration(i+1) * 10 * time.Millisecond)
		want += time.Duration(part.n) * part.time.mean
	}
	if s := crowd(p, 1, 1, 1); (s.wait(.5)-want).Abs() > time.Microsecond || s.ends[copied] != 1 {
		t.Errorf("a lone object takes %v, want %v", s.wait(.5), want)
	}
}

// An object of one host does not wait behind a burst of another host.
func TestHostsTakeTurnsForSlots(t *testing.T) {
	alone := func(hosts int) time.Duration {
		p := small(100)
		p.limits, p.slots, p.maxWait = limitOptions{}, 4, time.Hour
		s := newSystem(p, 1, 2, 2)
		for range 1000 {
			s.request(0, 0, func() {})
		}
		var took time.Duration
		s.after(5*time.Second, func() {
			since := s.now
			s.request(1, hosts-1, func() { took = s.now - since })
		})
		s.run(func() bool { return took > 0 })
		return took
	}
	if other, same := alone(2), alone(1); other > 3*time.Second || same < 10*other {
		t.Errorf("an object of another host takes %v, one of the same host %v", other, same)
	}
}

func TestPageHasTheSimulatedBursts(t *testing.T) {
	const file = "../../CAPACITY.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page, err := capacity.Replace(string(data), "bursts", pageTable(capacity.NewMeasured(), capacity.NewAssumed(), 1))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if page != string(data) {
		t.Error("deploy/CAPACITY.md is not current, run in deploy/bench: go test -p 1 ./capacity ./simulate -update")
	}
}
