package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/cluster"
)

// tick is the unit of the CPU times in /proc. It is 10 ms on every architecture that Go supports:
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
const tick = 10 * time.Millisecond

// Group is a set of processes, by names for the reader of the figures.
type Group map[string]int

// Reading is the CPU time of a group's processes, and of the machine, at one moment.
type Reading struct {
	at        time.Time
	group     Group
	used      map[string]time.Duration
	idle, all time.Duration // Of all processors
}

// Cost is the use of a group in a time. It omits processes that did not run all the time.
type Cost struct {
	Wall time.Duration
	CPU  map[string]time.Duration // Of each process
	// Resident is the resident memory of each process at the end, in bytes.
	Resident map[string]int64
	// Idle is the idle part of all processors, from 0 to 1.
	Idle float64
}

// Read reads the CPU times of the group.
func (g Group) Read() (r Reading, err error) {
	r = Reading{at: time.Now(), group: g, used: map[string]time.Duration{}}
	for name, pid := range g {
		if used, err := Used(pid); err == nil {
			r.used[name] = used
		}
	}
	r.idle, r.all, err = cluster.Processors()
	return r, err
}

// Since returns the cost from an earlier reading of the same group to now.
func (g Group) Since(before Reading) (c Cost, err error) {
	after, err := g.Read()
	if err != nil {
		return c, err
	}
	c = Cost{Wall: after.at.Sub(before.at), CPU: map[string]time.Duration{}, Resident: map[string]int64{}}
	for name, used := range after.used {
		earlier, known := before.used[name]
		if !known || before.group[name] != g[name] {
			continue
		}
		c.CPU[name] = used - earlier
		if c.Resident[name], err = memory(g[name], "VmRSS"); err != nil {
			return c, err
		}
	}
	if all := after.all - before.all; all > 0 {
		c.Idle = float64(after.idle-before.idle) / float64(all)
	}
	return c, nil
}

// Used returns the CPU time of a process and of its threads that have ended, in steps of 10 ms.
func Used(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the program can hold spaces and parentheses.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system = 11, 12 // After the name: fields 14 and 15 of the file
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return ticks(fields[user], fields[system])
}

func ticks(fields ...string) (sum time.Duration, err error) {
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
