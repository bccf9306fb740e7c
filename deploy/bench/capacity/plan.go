package capacity

import (
	"cmp"
	"math"
	"slices"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/savings"
)

const (
	kib   = 1 << 10
	gib   = 1 << 30
	month = 30 * 24 * 3600 // Seconds
	hours = 30 * 24        // Of a month
	// receiveBatch is the most messages of one receive.
	receiveBatch = 10.0
	// requestsPerCopy is a send, a delete, and a share of a receive.
	requestsPerCopy = 2 + 1/receiveBatch
)

// Machines is a number of machines of one kind.
type Machines struct {
	Kind  string
	Type  Machine
	Count int
	// Bound names the need that decides the number.
	Bound string
}

// Monthly returns the price of a month.
func (m Machines) Monthly() float64 { return float64(m.Count) * m.Type.Dollar * hours }

// Cores returns the cores of all these machines.
func (m Machines) Cores() int { return m.Count * m.Type.Cores }

// Cost is the price of a service for a month.
type Cost struct {
	Name    string
	Dollars float64
}

// Plan holds the machines, flows and costs of a load.
type Plan struct {
	Load                                                                             Load
	FrontEnds, Bridges, Workers, History, Matching, Gateway, DBs, Redis              Machines
	FromRedis                                                                        float64 // Share of redirects
	KeptFor                                                                          float64 // Seconds until a front end drops a redirect
	RedisCommands, Invalidations, Commits, Clusters, Shards, DBDisk, Entries, Egress float64
	Costs                                                                            []Cost
	Saved                                                                            savings.Balance
	TemporalCloud                                                                    float64 // Dollars a month, instead of Temporal's machines
}

// inputs are all constants of a plan.
type inputs struct {
	m Measured
	a Assumed
	p Prices
	c config.Config
}

// NewPlan computes the plan of a load.
func NewPlan(l Load, m Measured, a Assumed, p Prices) Plan {
	in := inputs{m: m, a: a, p: p, c: config.Default()}
	plan := Plan{Load: l}
	in.frontEnds(&plan)
	in.copies(&plan)
	in.temporal(&plan)
	in.redis(&plan)
	in.costs(&plan)
	return plan
}

// Machines lists the machines of a plan.
func (p *Plan) Machines() []*Machines {
	return []*Machines{&p.FrontEnds, &p.Bridges, &p.Workers, &p.History, &p.Matching, &p.Gateway, &p.DBs, &p.Redis}
}

// bound is a need in machines at the utilisation of 1, and its name.
type bound struct {
	name  string
	needs float64
	fixed bool // The need does not depend on the size of the machines.
}

// machines returns the number that the largest bound needs, at the assumed utilisation. If one
// machine is enough, there are two of the smallest size that is enough, so that one can fail.
func (in inputs) machines(kind string, t Machine, bounds ...bound) Machines {
	u := in.a.Utilisation.Value + 1e-9 // The slack is for rounding.
	largest := slices.MaxFunc(bounds, func(a, b bound) int { return cmp.Compare(a.needs, b.needs) })
	if count := math.Ceil(largest.needs / u); count >= 2 {
		return Machines{Kind: kind, Type: t, Count: int(count), Bound: largest.name}
	}
	for half := t; ; t = half {
		half = half.half()
		for i := range bounds {
			if !bounds[i].fixed {
				bounds[i].needs *= 2
			}
		}
		if half.Cores < 2 || slices.ContainsFunc(bounds, func(b bound) bool { return b.needs > u }) {
			return Machines{Kind: kind, Type: t, Count: 2, Bound: spare}
		}
	}
}

// spare is the bound of machines of which one would be enough.
const spare = "spare"

// withStandby gives each machine a standby of its size. Two machines with a spare are that already.
func (m Machines) withStandby() Machines {
	if m.Bound != spare {
		m.Count *= 2
	}
	return m
}

// perCore returns the redirects a second that a core of a front end serves, from memory and from
// redis.
func (in inputs) perCore() (memory, redis float64) {
	memory = in.m.Hits.Value / in.m.Cores.Value
	return memory, memory * in.m.RedisRatio.Value / in.m.MemoryRatio.Value
}

// frontEnds counts front ends. Each reads a redirect from redis once. So the share of redirects
// from redis grows with their number, and the number is a fixed point.
func (in inputs) frontEnds(p *Plan) {
	memory, redis := in.perCore()
	perCopy := p.Load.Redirects / p.Load.Copies
	count := 2
	for range 100 {
		p.FromRedis = fromRedis(float64(count), perCopy)
		cpu := p.Load.Redirects*((1-p.FromRedis)/memory+p.FromRedis/redis) + p.Load.Copies*in.m.FrontEndCPU.Value/1000
		p.Egress = p.Load.Redirects * (in.m.RedirectBytes.Value + in.m.RequestBytes.Value)
		p.FrontEnds = in.machines("front end", in.p.FrontEnd, bound{"CPU", cpu / float64(in.p.FrontEnd.Cores), false},
			bound{"network", p.Load.Redirects * in.m.RedirectBytes.Value * 8 / 1e9 / in.p.FrontEnd.Gbit, false})
		if p.FrontEnds.Count <= count {
			break
		}
		count = p.FrontEnds.Count
	}
	kept := min(float64(in.c.Frontend.CacheEntries), float64(in.c.Frontend.CacheMemory)/in.m.HitMemory.Value)
	p.KeptFor = kept / p.Load.Copies
}

// fromRedis returns the share of redirects that front ends read from redis, if a balancer spreads
// the redirects of a copy evenly.
func fromRedis(frontEnds, perCopy float64) float64 {
	return frontEnds * (1 - math.Pow(1-1/frontEnds, perCopy)) / perCopy
}

// copies counts bridges and workers.
func (in inputs) copies(p *Plan) {
	n := p.Load.Copies
	bridge := in.m.WorkerCPU.Value / 1000 * in.m.BridgeShare.Value
	p.Bridges = in.machines("bridge", in.p.Bridge, bound{"CPU", n * bridge / float64(in.p.Bridge.Cores), false},
		bound{"SQS receivers", n / in.perBridge(), true})
	bytes := n * in.a.ObjectBytes.Value * (1 << 20)
	cpu := n*(in.m.WorkerCPU.Value/1000-bridge) + bytes/gib*in.m.ByteCPU.Value
	p.Workers = in.machines("worker", in.p.Worker, bound{"CPU", cpu / float64(in.p.Worker.Cores), false},
		bound{"network", bytes * 8 / 1e9 / in.p.Worker.Gbit, false})
}

// perReceiver returns the messages a second of one receiver, which handles a batch while it
// receives the next batch.
func (in inputs) perReceiver() float64 {
	return receiveBatch / max(in.a.ReceiveTime.Value, in.a.StartTime.Value+in.a.DeleteTime.Value) * 1000
}

func (in inputs) perBridge() float64 { return in.perReceiver() * float64(in.c.Worker.Receivers) }

// perDatabase returns the copies a second of one PostgreSQL without spare, by CPU and by
// transactions. Both scale the measured machine by its cores.
func (in inputs) perDatabase() (cpu, commits float64) {
	cores := float64(in.p.Database.Cores)
	return cores / (in.m.ClusterCPU.Value / 1000 * in.m.DatabaseShare.Value),
		in.m.CommitRate.Value / in.m.Cores.Value * cores / in.m.Commits.Value
}

// temporal counts the machines of Temporal. A PostgreSQL is a Temporal cluster with its own
// namespace and deployments.
func (in inputs) temporal(p *Plan) {
	n, u := p.Load.Copies, in.a.Utilisation.Value
	cpu := n * in.m.ClusterCPU.Value / 1000 / float64(in.p.Temporal.Cores)
	service := func(kind string, share Figure) Machines {
		return in.machines(kind, in.p.Temporal, bound{"CPU", cpu * share.Value, false})
	}
	p.History = service("Temporal history", in.m.HistoryShare)
	p.Matching = service("Temporal matching", in.m.MatchingShare)
	p.Gateway = service("Temporal frontend", in.m.GatewayShare)
	byCPU, byCommits := in.perDatabase()
	p.DBs = in.machines("PostgreSQL", in.p.Database, bound{"CPU", n / byCPU, false},
		bound{"transactions", n / byCommits, false}).withStandby()
	p.Commits = n * in.m.Commits.Value
	p.Clusters = math.Ceil(float64(p.DBs.Count) / 2) // Half of the machines are standbys.
	p.Shards = math.Exp2(math.Ceil(math.Log2(max(in.a.LeastShards.Value, p.Commits/p.Clusters*in.m.CommitTime.Value/1000/u))))
	p.DBDisk = 2 * n * in.a.Retention.Value * 24 * 3600 * in.m.WorkflowBytes.Value * kib
}

// perShard returns the copies a second of one history shard, which does one transaction at a time
// (history.shardIOConcurrency).
func (in inputs) perShard() float64 { return 1000 / in.m.CommitTime.Value / in.m.Commits.Value }

// redis counts masters and their replicas. An invalidation to a front end counts as a command.
func (in inputs) redis(p *Plan) {
	p.Entries = p.Load.Copies * in.c.Cache.TTL.Seconds()
	p.Invalidations = p.Load.Copies * in.m.RedisWrites.Value * float64(p.FrontEnds.Count)
	p.RedisCommands = p.Load.Redirects*p.FromRedis + p.Load.Copies*in.m.RedisCommands.Value
	// Memory does not need the spare of CPU.
	p.Redis = in.machines("redis", in.p.Redis, bound{"memory", p.Entries / in.entries() * in.a.Utilisation.Value, false},
		bound{"commands", (p.RedisCommands + p.Invalidations) / in.m.RedisRate.Value, true}).withStandby()
}

// entries returns the entries that a redis holds.
func (in inputs) entries() float64 {
	return in.p.Redis.GiB * gib * in.a.RedisMemory.Value / in.m.EntryBytes.Value
}

// costs prices services for a month.
func (in inputs) costs(p *Plan) {
	redirects, copies := p.Load.Redirects*month, p.Load.Copies*month
	object := in.a.ObjectBytes.Value * (1 << 20)
	p.Saved = savings.NewBalance(in.p.Prices, in.c.S3, savings.PathBoth, savings.Amounts{
		Redirects: redirects, RedirectedBytes: redirects * object, Copies: copies, CopiedBytes: copies * object,
	})
	p.TemporalCloud, p.Saved.Temporal = p.Saved.Temporal, 0
	p.Costs = []Cost{
		{"SQS requests", in.p.sqs(requestsPerCopy * copies)},
		{"S3 requests", p.Saved.Requests},
		{"S3 storage of copies for s3.lifespan_days", p.Saved.Storage},
		{"disks of PostgreSQL", p.DBDisk / gib * in.p.DiskGB},
		{"network load balancer", p.Egress * month / gib * in.p.BalancerGB},
	}
}

// Monthly returns the price of all machines and services.
func (p *Plan) Monthly() (machines, services float64) {
	for _, m := range p.Machines() {
		machines += m.Monthly()
	}
	for _, c := range p.Costs {
		services += c.Dollars
	}
	return machines, services
}
