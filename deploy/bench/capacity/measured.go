package capacity

// Measured holds the figures of runs. One core is one processor of the measured machine.
type Measured struct {
	Cores Figure

	// Redirects.
	Hits, MemoryRatio, RedisRatio, MirrorRatio, HitMemory, WaiterMemory, WakeP99, RedirectBytes, RequestBytes Figure

	// CPU time of a cold copy.
	FrontEndCPU, WorkerCPU, BridgeShare, StorageCPU, TemporalCPU, ClusterCPU, ByteCPU Figure
	// All processor time of the measured machine for a cold copy.
	DevMachine, ClusterMachine Figure
	// Shares of ClusterCPU.
	HistoryShare, MatchingShare, GatewayShare, DatabaseShare Figure

	// Temporal's database.
	Commits, CommitTime, CommitRate, WorkflowBytes Figure

	EntryBytes, RedisCommands, RedisRate, RedisWrites Figure

	// Bursts of 300 and 500 cold objects of 1 KiB, requested by 50 clients. They validate the simulation.
	DevRate, DevMedian, ClusterRate, ClusterMedian Figure
}

// Runs that several figures come from.
const (
	benchRedirect = "make bench-redirect → "
	bench         = "make bench → "
	cluster       = "make test-cluster ARGS='-run Figures' → "
	operatorsPage = "deploy/README.md, make bench-redirect → "
)

// NewMeasured returns the figures of the last runs.
func NewMeasured() Measured {
	return Measured{
		Cores: Figure{Name: "processors of the measured machine, which also ran the load", Value: 2,
			Run: "nproc", On: "2026-11-26"},

		Hits: Figure{Name: "redirects from memory, a second", Value: 23_900,
			Run: benchRedirect + "hits, 32 connections, from memory", On: "2026-11-26"},
		MemoryRatio: Figure{Name: "redirects from memory, of a bare router's", Value: 0.94,
			Run: "make bench-redirect → hits, 32 connections, from memory", On: "2026-11-27"},
		RedisRatio: Figure{Name: "redirects from redis, of a bare router's", Value: 0.51,
			Run: operatorsPage + "rate of redirects from redis", On: "2026-11-25"},
		MirrorRatio: Figure{Name: "hits of the mirror route, of a bare router's", Value: 0.93,
			Run: operatorsPage + "rate of the mirror route", On: "2026-11-26"},
		HitMemory: Figure{Name: "memory of a redirect kept in a front end", Value: 1173, Unit: "B",
			Run: benchRedirect + "front end, a million redirects in memory", On: "2026-11-27"},
		WaiterMemory: Figure{Name: "memory of a waiting client", Value: 20, Unit: "KiB",
			Run: "deploy/README.md, How fast, and how much memory", On: "2026-11-24"},
		WakeP99: Figure{Name: "from the announcement of a copy to the redirect, p99 with 1,000 clients", Value: 2, Unit: "ms",
			Run: operatorsPage + "from the announcement of a copy", On: "2026-11-24"},
		RedirectBytes: Figure{Name: "a redirect to a presigned URL, head and body", Value: 1_050, Unit: "B",
			Run: "make run, curl -si of a hit, wc -c", On: "2026-11-26"},
		RequestBytes: Figure{Name: "a request for a redirect", Value: 137, Unit: "B",
			Run: "make run, curl -v of a hit, the bytes of its request", On: "2026-11-26"},

		FrontEndCPU: Figure{Name: "CPU of a cold copy: front end", Value: 5.23, Unit: "ms",
			Run: bench + "front end, for a copy", On: "2026-11-26"},
		WorkerCPU: Figure{Name: "CPU of a cold copy: worker and bridge", Value: 16.6, Unit: "ms",
			Run: bench + "workers, for a copy", On: "2026-11-26"},
		BridgeShare: Figure{Name: "the bridge's share of it", Value: 0.19,
			Run: cluster + "worker-us-east-1, half of the bridges' work: its double, of all workers", On: "2026-11-26"},
		StorageCPU: Figure{Name: "CPU of a cold copy: the local S3 server", Value: 4.92, Unit: "ms",
			Run: bench + "S3 servers, for a copy", On: "2026-11-26"},
		TemporalCPU: Figure{Name: "CPU of a cold copy: Temporal, dev server", Value: 43.3, Unit: "ms",
			Run: bench + "Temporal, for a copy", On: "2026-11-26"},
		ClusterCPU: Figure{Name: "CPU of a cold copy: Temporal and PostgreSQL", Value: 87.8, Unit: "ms",
			Run: cluster + "Temporal's services together, and PostgreSQL", On: "2026-11-26"},
		DevMachine: Figure{Name: "CPU of a cold copy: the whole machine, with the load, on the dev server", Value: 73.9, Unit: "ms",
			Run: bench + "the whole machine, for a copy", On: "2026-11-26"},
		ClusterMachine: Figure{Name: "CPU of a cold copy: the whole machine, with the load, on PostgreSQL", Value: 143, Unit: "ms",
			Run: cluster + "the whole machine", On: "2026-11-26"},
		ByteCPU: Figure{Name: "CPU of a worker for 1 GiB", Value: 1.38, Unit: "s", Run: "make bench-copy → 1 GiB, CPU", On: "2026-11-26"},

		HistoryShare: Figure{Name: "share of Temporal's history service", Value: 0.409, Run: cluster + "history", On: "2026-11-26"},
		MatchingShare: Figure{Name: "share of Temporal's matching service", Value: 0.068,
			Run: cluster + "matching", On: "2026-11-26"},
		GatewayShare: Figure{Name: "share of Temporal's frontend service", Value: 0.138,
			Run: cluster + "Temporal's frontend", On: "2026-11-26"},
		DatabaseShare: Figure{Name: "share of PostgreSQL", Value: 0.376, Run: cluster + "PostgreSQL", On: "2026-11-26"},

		Commits: Figure{Name: "transactions of PostgreSQL for a copy", Value: 58.5,
			Run: cluster + "transactions of PostgreSQL per copy", On: "2026-11-26"},
		CommitTime: Figure{Name: "time of a transaction", Value: 1.58, Unit: "ms",
			Run: "pgbench -c 1 -N -T 10 → latency average", On: "2026-11-26"},
		CommitRate: Figure{Name: "transactions of PostgreSQL a second, on two cores", Value: 2_700, Unit: "/s",
			Run: "pgbench -c 32 -j 2 -N -T 30 → tps", On: "2026-11-26"},
		WorkflowBytes: Figure{Name: "PostgreSQL's disk for a closed workflow", Value: 55.0, Unit: "KiB",
			Run: cluster + "disk of PostgreSQL per copy", On: "2026-11-26"},

		EntryBytes: Figure{Name: "memory of redis for an entry", Value: 247, Unit: "B",
			Run: operatorsPage + "redis, for one entry", On: "2026-11-26"},
		RedisCommands: Figure{Name: "commands of redis for a cold copy", Value: 24,
			Run: "make run → redis-cli INFO commandstats around 500 cold objects", On: "2026-11-26"},
		RedisWrites: Figure{Name: "changes of an entry for a cold copy, each an invalidation to all front ends", Value: 3,
			Run: "make run → SETs in INFO commandstats around 500 cold objects", On: "2026-11-26"},
		RedisRate: Figure{Name: "commands of one redis a second", Value: 47_000, Unit: "/s",
			Run: "redis-benchmark -t get -d 231 -c 50 → GET", On: "2026-11-26"},

		DevRate: Figure{Name: "burst, dev server: copies a second", Value: 26.4, Unit: "/s",
			Run: bench + "500 first requests, 50 at a time", On: "2026-11-26"},
		DevMedian: Figure{Name: "burst, dev server: median", Value: 1.96, Unit: "s", Run: bench + "first requests, p50", On: "2026-11-26"},
		ClusterRate: Figure{Name: "burst, PostgreSQL cluster: copies a second", Value: 12.2, Unit: "/s",
			Run: cluster + "300 first requests, 50 at a time", On: "2026-11-26"},
		ClusterMedian: Figure{Name: "burst, PostgreSQL cluster: median", Value: 4.05, Unit: "s",
			Run: cluster + "first requests, p50", On: "2026-11-26"},
	}
}
