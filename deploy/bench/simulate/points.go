package main

import "github.com/cloud-mirror/cloud-mirror/deploy/bench/capacity"

// point is a measured burst of the local stack, which the simulation must reproduce.
type point struct {
	name         string
	rate, median capacity.Figure
	p            parameters
}

const (
	pointObjects = 500
	pointClients = 50
	devBridges   = 3
	// clusterShards and clusterBridges are those of the local PostgreSQL cluster.
	clusterShards  = 16
	clusterBridges = 2
)

// points returns the measured points. The dev server's database is in its own process, and so has
// no commits that take time besides CPU.
func points(m capacity.Measured) []point {
	commit := roundCommit(m)
	return []point{
		{"dev server", m.DevRate, m.DevMedian, local(m, m.TemporalCPU, m.DevMachine, devBridges, 1, 0)},
		{"PostgreSQL", m.ClusterRate, m.ClusterMedian, local(m, m.ClusterCPU, m.ClusterMachine, clusterBridges, clusterShards, commit)},
	}
}
