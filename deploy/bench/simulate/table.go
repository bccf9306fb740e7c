package main

import (
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/capacity"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// count writes a number of things.
func count(n float64) string { return fmt.Sprintf("%.0f", n) }

// addPoints compares the simulation with the measured points.
func addPoints(t *report.Table, m capacity.Measured, seed uint64) {
	for _, p := range points(m) {
		s := crowd(p.p, seed, pointObjects, pointClients)
		t.Title(fmt.Sprintf("%d cold objects, %d at a time, %s", pointObjects, pointClients, p.name))
		t.Add(report.Row{Label: "copies", Unit: report.PerSecond, Figure: s.rate(),
			Ratios: []report.Ratio{report.Against(s.rate(), p.rate.Value, report.Target{})}})
		median := s.wait(.5).Seconds()
		t.Add(report.Row{Label: "p50", Unit: report.Seconds, Figure: median,
			Ratios: []report.Ratio{report.Against(median, p.median.Value, report.Target{})}})
		t.Add(report.Row{Label: "p99", Unit: report.Seconds, Figure: s.wait(.99).Seconds()})
	}
}

// addBurst adds the figures of a burst.
func addBurst(t *report.Table, title string, s *system) {
	t.Title(title)
	add := func(label string, unit report.Unit, v float64) {
		t.Add(report.Row{Label: label, Unit: unit, Figure: v})
	}
	add("99 % of the copies after", report.Seconds, s.madeAfter(.99).Seconds())
	add("last copy after", report.Seconds, s.madeAfter(1).Seconds())
	add("p50 of clients that waited", report.Seconds, s.wait(.5).Seconds())
	add("p99 of clients that waited", report.Seconds, s.wait(.99).Seconds())
	for end, label := range []string{
		"clients with the copy", "source at once, frontend.cold_rate", "source at once, backlog",
		"source at once, frontend.cold_rate_per_host", "source at once, frontend.max_waiters", "source at the end of the wait",
	} {
		add(label, count, float64(s.ends[end]))
	}
	add("most messages in SQS", count, float64(s.messages.most))
	add("most copies that wait for a history shard", count, float64(longest(s.shards)))
	add("most copies that wait for a slot or a connection", count, float64(s.slots.most))
	for _, q := range []struct {
		name    string
		station *station
	}{
		{"front ends", s.frontEnd}, {"bridges", s.bridge}, {"workers", s.worker}, {"Temporal frontend", s.gateway},
		{"Temporal history", s.history}, {"Temporal matching", s.matching}, {"PostgreSQL", s.database},
	} {
		add("most work that waits for a core: "+q.name, count, float64(q.station.waiting.most))
	}
	for from := time.Duration(0); from <= s.madeAfter(1); from += interval {
		upTo := sort.Search(len(s.copies), func(i int) bool { return s.copies[i] > from+interval })
		before := sort.Search(len(s.copies), func(i int) bool { return s.copies[i] > from })
		add(fmt.Sprintf("copies from %v to %v", from, from+interval), report.PerSecond, float64(upTo-before)/interval.Seconds())
	}
}

const interval = 10 * time.Second

func longest(all []*station) int {
	return slices.MaxFunc(all, func(a, b *station) int { return a.waiting.most - b.waiting.most }).waiting.most
}

// scenario is a burst of 100,000 cold objects on the machines of a plan.
type scenario struct {
	copies float64 // A second, for which the machines are planned
	hosts  int
	limits bool // The default limits
}

// scenarios are those of deploy/CAPACITY.md.
func scenarios() []scenario {
	return []scenario{
		{100, 20, true}, {1_000, 20, true}, {1_000, 20, false}, {1_000, 1, true}, {10_000, 20, true},
	}
}

const (
	burstObjects = 100_000
	burstClients = 1_000
	burstOver    = 10 * time.Second
)

// pageTable simulates the scenarios. Its figures have two digits, so that the last bit of a
// processor's arithmetic does not show.
func pageTable(m capacity.Measured, a capacity.Assumed, seed uint64) string {
	all := scenarios()
	rows := make([][]string, len(all))
	var running sync.WaitGroup
	for i, sc := range all {
		running.Go(func() { rows[i] = sc.row(m, a, seed) })
	}
	running.Wait()
	return capacity.Table([]string{
		"machines for copies a second", "source hosts", "limits", "99 % of the copies after", "p50", "p99", "clients with the copy",
		"source at a limit", "source after the wait", "most in SQS", "most waiting for a slot",
	}, rows...)
}

// row simulates a scenario.
func (sc scenario) row(m capacity.Measured, a capacity.Assumed, seed uint64) []string {
	deployment, limits := sized(planned(sc.copies, m, a), m, a), "default"
	if !sc.limits {
		deployment.limits, limits = limitOptions{}, "none"
	}
	s := burst(deployment, seed, load{burstObjects, burstClients, sc.hosts, burstOver})
	seconds := func(d time.Duration) string { return twoDigits(d.Seconds()) + " s" }
	return []string{
		twoDigits(sc.copies), count(float64(sc.hosts)), limits, seconds(s.madeAfter(.99)),
		seconds(s.wait(.5)), seconds(s.wait(.99)),
		percent(s.ends[copied]), percent(s.refused()), percent(s.ends[waitOver]),
		twoDigits(float64(s.messages.most)), twoDigits(float64(s.slots.most)),
	}
}

func percent(n int) string       { return twoDigits(100*float64(n)/burstObjects) + " %" }
func twoDigits(v float64) string { return capacity.Number(v, 2) }
