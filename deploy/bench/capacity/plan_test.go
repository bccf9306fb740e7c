package capacity

import (
	"math"
	"testing"
)

// figure makes a struct of figures that are easy to compute with.
func figure(v float64) Figure { return Figure{Value: v} }

func simple() (Measured, Assumed, Prices) {
	m := Measured{
		Cores: figure(2), Hits: figure(20_000), MemoryRatio: figure(1), RedisRatio: figure(.5), HitMemory: figure(1000),
		RedirectBytes: figure(1000), RequestBytes: figure(250),
		FrontEndCPU: figure(4), WorkerCPU: figure(10), BridgeShare: figure(.2), ClusterCPU: figure(50), ByteCPU: figure(1),
		HistoryShare: figure(.4), MatchingShare: figure(.1), GatewayShare: figure(.1), DatabaseShare: figure(.4),
		Commits: figure(10), CommitTime: figure(5), CommitRate: figure(1000), WorkflowBytes: figure(1),
		EntryBytes: figure(200), RedisCommands: figure(10), RedisWrites: figure(2), RedisRate: figure(50_000),
	}
	a := NewAssumed()
	a.Utilisation = figure(.5)
	machine := Machine{Family: "m", Cores: 4, GiB: 8, Gbit: 10, Dollar: 1}
	p := NewPrices()
	p.FrontEnd, p.Bridge, p.Worker, p.Temporal, p.Database, p.Redis = machine, machine, machine, machine, machine, machine
	return m, a, p
}

func TestPlan(t *testing.T) {
	m, a, p := simple()
	plan := NewPlan(Load{Redirects: 100_000, Copies: 1000}, m, a, p)
	for name, c := range map[string]struct {
		got  Machines
		want int
	}{
		// 100,000 redirects cost at least 10 CPU-seconds, and the copies cost 4.
		"bridges":  {plan.Bridges, 2},  // 1,000 messages at 1,000 each, and a spare
		"workers":  {plan.Workers, 5},  // (8 + 0.98) s of CPU on 4 cores, half used
		"history":  {plan.History, 10}, // 20 s of CPU
		"matching": {plan.Matching, 3},
		"gateway":  {plan.Gateway, 3},
		"database": {plan.DBs, 20}, // 10,000 transactions at 2,000 each, which equals 20 s of CPU; each has a standby
	} {
		if c.got.Count != c.want {
			t.Errorf("%s: %d machines by %s, want %d", name, c.got.Count, c.got.Bound, c.want)
		}
	}
	if plan.Commits != 10_000 || plan.Shards != 512 { // 10,000 × 5 ms are 50 shards, half used
		t.Errorf("%v transactions and %v shards, want 10000 and 512", plan.Commits, plan.Shards)
	}
	if plan.Entries != 1000*24*3600 {
		t.Errorf("%v entries", plan.Entries)
	}
}

// The number of front ends is a fixed point: their share of redirects from redis is that of their
// number.
func TestFrontEndsAreAFixedPoint(t *testing.T) {
	m, a, p := simple()
	for _, l := range append(Loads(), Load{Redirects: 3e6, Copies: 10}) {
		plan := NewPlan(l, m, a, p)
		n := float64(plan.FrontEnds.Count)
		if got := fromRedis(n, l.Redirects/l.Copies); math.Abs(got-plan.FromRedis) > 1e-12 {
			t.Errorf("%+v: %v front ends read %v from redis, want %v", l, n, plan.FromRedis, got)
		}
		cpu := l.Redirects*((1-plan.FromRedis)/10_000+plan.FromRedis/5_000) + l.Copies*.004
		if need := cpu / 4 / .5; plan.FrontEnds.Bound == "CPU" && (n < need || n >= need+1) {
			t.Errorf("%+v: %v front ends, for a need of %v", l, n, need)
		}
	}
	if plan := NewPlan(Load{Redirects: 1, Copies: 1}, m, a, p); plan.FrontEnds.Count != 2 || plan.FrontEnds.Bound != "spare" {
		t.Errorf("a tiny load has %d front ends by %s", plan.FrontEnds.Count, plan.FrontEnds.Bound)
	}
}

func TestFromRedis(t *testing.T) {
	for _, c := range []struct{ frontEnds, perCopy, want float64 }{
		{1, 10, .1}, {2, 1, 1}, {2, 2, .75}, {1e9, 100, 1},
	} {
		if got := fromRedis(c.frontEnds, c.perCopy); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%v front ends, %v redirects of a copy: %v, want %v", c.frontEnds, c.perCopy, got, c.want)
		}
	}
}

func TestSQSPriceHasTiers(t *testing.T) {
	p := NewPrices()
	for _, c := range []struct{ requests, want float64 }{
		{0, 0}, {1e6, .4}, {100e9, 40_000}, {150e9, 55_000}, {300e9, 94_000},
	} {
		if got := p.sqs(c.requests); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%v requests cost %v, want %v", c.requests, got, c.want)
		}
	}
}

// A load that is ten times as large never needs fewer machines, and costs more.
func TestPlansGrowWithTheLoad(t *testing.T) {
	plans := inputs{m: NewMeasured(), a: NewAssumed(), p: NewPrices()}.plans()
	for i := 1; i < len(plans); i++ {
		small, large := plans[i-1], plans[i]
		for k, m := range large.Machines() {
			if m.Count < small.Machines()[k].Count {
				t.Errorf("%s: %d machines for less load, %d for more", m.Kind, small.Machines()[k].Count, m.Count)
			}
		}
		a, b := small.Monthly()
		c, d := large.Monthly()
		if a+b >= c+d {
			t.Errorf("less load costs %v, more load %v", a+b, c+d)
		}
	}
}

// Two machines of a kind are of the smallest size of which one is enough.
func TestSpareMachinesAreSmall(t *testing.T) {
	_, a, p := simple()
	in := inputs{a: a, p: p}
	large := Machine{Family: "m", Cores: 16, Dollar: 1}
	for _, c := range []struct {
		cpu, receivers float64
		count          int
		name, bound    string
	}{
		{.01, .01, 2, "m.large", "spare"},
		{.06, .01, 2, "m.large", "spare"}, // 0.48 of the smallest machine
		{.07, .01, 2, "m.xlarge", "spare"},
		{.4, .01, 2, "m.4xlarge", "spare"},
		{.6, .01, 2, "m.4xlarge", "CPU"},
		{.01, .49, 2, "m.large", "spare"}, // Receivers don't depend on the size.
		{.01, 1.2, 3, "m.4xlarge", "receivers"},
	} {
		got := in.machines("kind", large, bound{"CPU", c.cpu, false}, bound{"receivers", c.receivers, true})
		if got.Count != c.count || got.Type.Name() != c.name || got.Bound != c.bound {
			t.Errorf("%+v: %d %s by %s", c, got.Count, got.Type.Name(), got.Bound)
		}
	}
}
