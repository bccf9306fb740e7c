package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc, which is the same on all of Linux.
const clockTick = 10 * time.Millisecond

// Fields of /proc/PID/stat behind the name of the program (proc(5)).
const (
	statParent   = 1
	statUserTime = 11 // Followed by those of the system, and of the children that have ended, user and system
	statTimes    = 4
)

// CPU returns the time on processors that a process and its descendants have used. It counts
// children that have ended.
func CPU(pid int) (time.Duration, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("this system does not report the time of processes")
	}
	parents, times := map[int]int{}, map[int]time.Duration{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // It has ended
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if parents[child], times[child], err = parseStat(string(text)); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
	}
	if _, ok := times[pid]; !ok {
		return 0, fmt.Errorf("process %d does not run", pid)
	}
	var sum time.Duration
	for child := range times {
		for at, steps := child, 0; at > 0 && steps < len(parents); at, steps = parents[at], steps+1 {
			if at == pid {
				sum += times[child]
				break
			}
		}
	}
	return sum, nil
}

// parseStat returns the parent of a process, and the time that it and its ended children have used.
func parseStat(text string) (parent int, used time.Duration, err error) {
	// The name of the program can hold spaces and parentheses.
	end := strings.LastIndex(text, ")")
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < statUserTime+statTimes {
		return 0, 0, fmt.Errorf("%q has too few fields", text)
	}
	if parent, err = strconv.Atoi(fields[statParent]); err != nil {
		return 0, 0, err
	}
	used, err = ticks(fields[statUserTime : statUserTime+statTimes])
	return parent, used, err
}

// Processors returns the idle time and the whole time of all processors since the machine's start. The
// time that the host of a virtual machine took is not idle.
func Processors() (idle, all time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	// user nice system idle iowait irq softirq steal; user contains the guest times that follow
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	if idle, err = ticks(fields[4:6]); err != nil {
		return 0, 0, err
	}
	all, err = ticks(fields[1:9])
	return idle, all, err
}

// ticks returns the sum of times in ticks.
func ticks(fields []string) (sum time.Duration, err error) {
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * clockTick
	}
	return sum, nil
}
