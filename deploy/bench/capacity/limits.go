package capacity

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// carries returns the table of the rates and amounts at which one of each part is full.
func (in inputs) carries() string {
	memory, redis := in.perCore()
	cores := float64(in.p.FrontEnd.Cores)
	cpu, commits := in.perDatabase()
	service := func(share Figure) float64 { return 1000 / (in.m.ClusterCPU.Value * share.Value) }
	bridge := in.m.WorkerCPU.Value * in.m.BridgeShare.Value
	worker := in.m.WorkerCPU.Value - bridge + in.a.ObjectBytes.Value/kib*in.m.ByteCPU.Value*1000
	object := in.a.ObjectBytes.Value * (1 << 20) * 8
	var rows [][]string
	add := func(part, what string, n float64) { rows = append(rows, []string{part, number(n), what}) }
	front := fmt.Sprintf("front end (%s)", in.p.FrontEnd.Name())
	add(front, "redirects from memory a second", memory*cores)
	add(front, "redirects from redis a second", redis*cores)
	add(front, "cold requests a second, without any hits", 1000/in.m.FrontEndCPU.Value*cores)
	add(front, "redirects kept in a GiB", gib/in.m.HitMemory.Value)
	add(front, "waiting clients in a GiB", gib/(in.m.WaiterMemory.Value*kib))
	add(fmt.Sprintf("bridge (%s)", in.p.Bridge.Name()), "copies a second, by worker.receivers", in.perBridge())
	add(fmt.Sprintf("worker (%s)", in.p.Worker.Name()), "copies a second, by CPU", 1000/worker*float64(in.p.Worker.Cores))
	add(fmt.Sprintf("worker (%s)", in.p.Worker.Name()), "copies a second, by network", in.p.Worker.Gbit*1e9/object)
	add("Temporal history shard", "copies a second", in.perShard())
	add("a core of Temporal history", "copies a second", service(in.m.HistoryShare))
	add("a core of Temporal matching", "copies a second", service(in.m.MatchingShare))
	add("a core of Temporal frontend", "copies a second", service(in.m.GatewayShare))
	add("a core of PostgreSQL", "copies a second", service(in.m.DatabaseShare))
	add(fmt.Sprintf("PostgreSQL (%s)", in.p.Database.Name()), "copies a second, by CPU", cpu)
	add(fmt.Sprintf("PostgreSQL (%s)", in.p.Database.Name()), "copies a second, by transactions", commits)
	add(fmt.Sprintf("redis (%s)", in.p.Redis.Name()), "commands a second", in.m.RedisRate.Value)
	add(fmt.Sprintf("redis (%s)", in.p.Redis.Name()), "entries", in.entries())
	return Table([]string{"one", "carries", "what"}, rows...)
}

// limit is a bound of one part.
type limit struct {
	part   string
	copies float64 // A second, at which it is full
	remedy string
}

// limits returns the table of the rates of copies at which one of each part is full, the smallest
// rate first.
func (in inputs) limits(p Plan) string {
	cpu, commits := in.perDatabase()
	perCopy := p.Load.Redirects / p.Load.Copies
	all := []limit{
		{"a history shard (one transaction at a time)", in.perShard(),
			"the number of shards, which is fixed for ever at the first start"},
		{"an SQS receiver (ten messages at a time)", in.perReceiver(), "`worker.receivers`, more bridges"},
		{"one source host, for each front end", float64(in.c.Frontend.ColdRatePerHost),
			"`frontend.cold_rate_per_host`; further clients get the source"},
		{"a PostgreSQL", min(cpu, commits),
			"more Temporal clusters, each for some regions, with deployments and SQS queues of their own"},
		{"a prefix of S3, by PUTs", in.a.PutsPerPrefix.Value / in.p.CopyPuts,
			"S3 splits prefixes by itself within minutes, and answers 503 meanwhile"},
		{"a prefix of S3, by GETs of clients and HEADs of copies", in.a.GetsPerPrefix.Value / (perCopy + in.p.CopyGets),
			"S3 splits prefixes by itself within minutes, and answers 503 meanwhile"},
		{"a redis, by commands", in.m.RedisRate.Value / (p.FromRedis*perCopy + in.m.RedisCommands.Value), "redis Cluster"},
		{fmt.Sprintf("a redis, by invalidations to %d front ends", p.FrontEnds.Count),
			in.m.RedisRate.Value / (in.m.RedisWrites.Value * float64(p.FrontEnds.Count)), "fewer, larger front ends; redis Cluster"},
		{"a redis, by the memory of entries", in.entries() / in.c.Cache.TTL.Seconds(),
			"a shorter `cache.ttl`; redis Cluster"},
		{"an SQS queue, by messages in flight", in.a.InFlight.Value / float64(in.c.Worker.Intake) * in.perBridge(),
			"more queues"},
	}
	slices.SortStableFunc(all, func(a, b limit) int { return cmp.Compare(a.copies, b.copies) })
	rows := make([][]string, len(all))
	for i, l := range all {
		rows[i] = []string{l.part, number(l.copies) + " /s", number(math.Ceil(p.Load.Copies / l.copies)), l.remedy}
	}
	return Table([]string{
		"limit of one", "copies", fmt.Sprintf("needed for %s copies a second", number(p.Load.Copies)), "remedy",
	}, rows...)
}
