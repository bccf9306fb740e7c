package main

import (
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/capacity"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// parameters describe a deployment.
type parameters struct {
	shared      int // Cores that all parts share; 0 if each part has its own
	cores       cores
	bridges     int
	receivers   int // Of SQS, in each bridge
	intake      int // Messages in the memory of each bridge
	slots       int // Copies at the same time, in all workers
	connections int // To one source host, of all workers
	shards      int
	limits      limitOptions
	maxWait     time.Duration
	times       times
}

// cores are those of all machines of a kind.
type cores struct {
	frontEnd, bridge, worker, storage, history, matching, gateway, database int
}

// times are CPU times of a copy, times of one round for the parts of Temporal, and latencies.
type times struct {
	frontEnd, bridge, worker, storage, history, matching, gateway, database span
	rest                                                                    span // Of the measured machine: the load, and all that has no row of its own
	commit                                                                  span
	lookup, send, receive, remove, source, put, publish                     span
}

func milliseconds(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }

// roundCommit is the time of the transactions of one round.
func roundCommit(m capacity.Measured) time.Duration {
	return milliseconds(m.CommitTime.Value * m.Commits.Value / rounds)
}

// cpu returns the CPU times with a figure for Temporal and its database. They are exponential: a
// guess that is on the safe side of the log-normal ones that servers have.
func cpu(m capacity.Measured, temporal capacity.Figure) times {
	round := func(share capacity.Figure) span {
		return exponential(milliseconds(temporal.Value * share.Value / rounds))
	}
	bridge := m.WorkerCPU.Value * m.BridgeShare.Value
	return times{
		frontEnd: exponential(milliseconds(m.FrontEndCPU.Value)),
		bridge:   exponential(milliseconds(bridge)),
		worker:   exponential(milliseconds(m.WorkerCPU.Value - bridge)),
		storage:  exponential(milliseconds(m.StorageCPU.Value)),
		history:  round(m.HistoryShare), matching: round(m.MatchingShare),
		gateway: round(m.GatewayShare), database: round(m.DatabaseShare),
	}
}

// local is the local stack on the cores of one machine, which takes that much processor
// time for a copy in all. Its latencies are those of loopback, so that CPU time decides. It has no
// limits, like make bench.
func local(m capacity.Measured, temporal, machine capacity.Figure, bridges, shards int, commit time.Duration) parameters {
	c := config.Default()
	t, loopback := cpu(m, temporal), exponential(200*time.Microsecond)
	t.commit = exponential(commit)
	temporalShare := m.HistoryShare.Value + m.MatchingShare.Value + m.GatewayShare.Value + m.DatabaseShare.Value
	t.rest = exponential(milliseconds(max(0, machine.Value-m.FrontEndCPU.Value-m.WorkerCPU.Value-m.StorageCPU.Value-temporal.Value*temporalShare)))
	t.lookup, t.send, t.receive, t.remove = loopback, loopback, loopback, loopback
	t.source, t.put, t.publish = loopback, loopback, loopback
	return parameters{
		shared: int(m.Cores.Value), bridges: bridges, receivers: c.Worker.Receivers, intake: c.Worker.Intake, slots: c.Worker.Concurrency,
		connections: c.Source.MaxConnsPerHost, shards: shards,
		maxWait: c.Frontend.MaxWait, times: t,
	}
}

// sized is a deployment on the machines of package capacity, with the product's default limits. Its
// latencies within a region are assumed: mean and p99.
func sized(plan capacity.Plan, m capacity.Measured, a capacity.Assumed) parameters {
	c, f, workers := config.Default(), float64(plan.FrontEnds.Count), plan.Workers.Count
	t := cpu(m, m.ClusterCPU)
	t.storage = fixed(0) // S3 has its own machines.
	t.commit = logNormal(roundCommit(m), 5*roundCommit(m))
	t.lookup = logNormal(20*time.Millisecond, 100*time.Millisecond) // redis, and a HEAD of the bucket
	t.send = logNormal(10*time.Millisecond, 60*time.Millisecond)    // SQS
	t.receive = logNormal(milliseconds(a.ReceiveTime.Value), 60*time.Millisecond)
	t.remove = logNormal(milliseconds(a.DeleteTime.Value), 60*time.Millisecond)
	t.source = logNormal(150*time.Millisecond, time.Second)          // Another region or the Internet
	t.put = logNormal(50*time.Millisecond, 300*time.Millisecond)     // S3
	t.publish = logNormal(20*time.Millisecond, 100*time.Millisecond) // A HEAD, redis, the wake-up
	s := c.Frontend
	return parameters{
		cores: cores{
			frontEnd: plan.FrontEnds.Cores(), bridge: plan.Bridges.Cores(), worker: plan.Workers.Cores(), storage: 1 << 20,
			history: plan.History.Cores(), matching: plan.Matching.Cores(), gateway: plan.Gateway.Cores(),
			database: plan.DBs.Cores() / 2, // Half are standbys.
		},
		bridges: plan.Bridges.Count, receivers: c.Worker.Receivers, intake: c.Worker.Intake, slots: workers * c.Worker.Concurrency,
		connections: workers * c.Source.MaxConnsPerHost, shards: int(plan.Shards * plan.Clusters),
		limits: limitOptions{
			clientRate: f * float64(s.ColdRate), clientBurst: f * float64(s.ColdBurst),
			hostRate: f * float64(s.ColdRatePerHost), hostBurst: f * float64(s.ColdBurstPerHost),
			waiters: plan.FrontEnds.Count * s.MaxWaiters, backlog: s.MaxBacklog, backlogAge: s.MaxBacklogAge,
		},
		maxWait: s.MaxWait, times: t,
	}
}
