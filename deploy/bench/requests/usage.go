package main

import (
	"os"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/cluster"
)

// group is a row of the CPU table: all processes of one kind.
type group string

const (
	temporal  group = "Temporal"
	workers   group = "workers"
	frontEnds group = "front end"
	s3        group = "S3 servers"
	// machine is all that the processors did, also for the load. It includes the time that the host
	// of a virtual machine took.
	machine group = "the whole machine"
)

// groups are in the order of the table.
func groups() []group { return []group{temporal, workers, frontEnds, s3, machine} }

// cpu is CPU time in milliseconds.
type cpu = float64

// usage is the CPU time that each group has used since its start.
type usage map[group]time.Duration

func groupOf(part string) group {
	switch {
	case part == "temporal":
		return temporal
	case strings.HasPrefix(part, "worker-"):
		return workers
	case strings.HasPrefix(part, "frontend-"):
		return frontEnds
	case strings.HasPrefix(part, "s3-"):
		return s3
	}
	return ""
}

// usage reads the CPU time of the stack's processes, and of the machine. Parts inside this process,
// and those that run elsewhere, are only in that of the machine.
func (b *bencher) usage() (usage, error) {
	u := usage{}
	for _, part := range b.local.Names() {
		g, pid := groupOf(part), b.local.PID(part)
		if g == "" || pid == 0 || pid == os.Getpid() {
			continue
		}
		used, err := process.Used(pid)
		if err != nil {
			return nil, err
		}
		u[g] += used
	}
	idle, all, err := cluster.Processors()
	u[machine] = all - idle
	return u, err
}

// since returns the CPU time for each of n calls since an earlier reading.
func (u usage) since(before usage, n int) map[group]cpu {
	each := map[group]cpu{}
	for g, used := range u {
		each[g] = milliseconds(used-before[g]) / float64(n)
	}
	return each
}

// meanCPU returns the mean CPU time for each call of the bursts, 0 if it was not measured.
func meanCPU(bursts []burst, g group) cpu {
	sum := 0.0
	for _, b := range bursts {
		sum += b.cpu[g]
	}
	return sum / float64(len(bursts))
}
