package main

import (
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// Targets.
const (
	firstTime     = 60.0 // Milliseconds
	hitTime       = 2.0  // Milliseconds
	burstRate     = 60.0 // A second
	burstRatio    = 0.85 // Of the rate of empty workflows
	burstTail     = 2.0  // P99, in medians
	temporalCPU   = 20.0 // Milliseconds for each copy
	neighbourTime = 3.0  // Of the time of a first request
)

func (b *bencher) table() *report.Table {
	t := report.New(report.Baseline{Name: "empty workflow"})
	emptyOne := report.Median(b.emptyOne)
	one := func(what string, took []float64, target report.Target) {
		t.Add(report.Row{
			Label: fmt.Sprintf("%s, median of %d", what, len(took)), Unit: report.Milliseconds, Figure: report.Median(took), Target: target,
			Ratios: []report.Ratio{report.Against(report.Median(took), emptyOne, report.Target{})},
		})
	}
	t.Title("One after the other")
	one("empty workflow of three activities", b.emptyOne, report.Target{})
	one("first request of a 1 KiB object", b.first, report.AtMost(firstTime))
	one("next request of it", b.hit, report.AtMost(hitTime))

	t.Title(fmt.Sprintf("Bursts of %d by %d clients, median of %d rounds", b.crowd, b.clients, b.rounds))
	emptyRate := over(b.empties, burst.perSecond)
	rate := func(what string, of []burst, target, ratio report.Target) {
		figure := over(of, burst.perSecond)
		t.Add(report.Row{
			Label: what, Unit: report.PerSecond, Figure: figure, Target: target,
			Ratios: []report.Ratio{report.Against(figure, emptyRate, ratio)},
		})
	}
	rate("empty workflows", b.empties, report.Target{}, report.Target{})
	rate("first requests", b.copies, report.AtLeast(burstRate), report.AtLeast(burstRatio))
	tail := func(what string, of []burst, target report.Target) {
		t.Add(report.Row{Label: what + ", p50", Unit: report.Milliseconds, Figure: over(of, burst.median)})
		t.Add(report.Row{Label: what + ", p99", Unit: report.Milliseconds, Figure: over(of, burst.p99)})
		t.Add(report.Row{Label: what + ", p99 in medians", Unit: report.Times, Figure: over(of, burst.tail), Target: target})
	}
	tail("empty workflows", b.empties, report.Target{})
	tail("first requests", b.copies, report.AtMost(burstTail))
	spread := []burst{b.spread}
	rate("first requests in three regions, one round", spread, report.Target{}, report.Target{})
	tail("first requests in three regions", spread, report.Target{})

	t.Title("CPU of processes in these bursts, mean of all rounds")
	for _, g := range groups() {
		row := report.Row{Label: fmt.Sprintf("%s, for a copy", g), Unit: report.Milliseconds, Figure: meanCPU(b.copies, g)}
		if g == temporal {
			row.Target = report.AtMost(temporalCPU)
			row.Ratios = []report.Ratio{report.Against(row.Figure, meanCPU(b.empties, g), report.Target{})}
		}
		t.Add(row)
	}

	t.Title(fmt.Sprintf("Another host's object, while %d of one host wait", b.left))
	t.Add(report.Row{
		Label: fmt.Sprintf("first request, median of %d", len(b.neighbour)), Unit: report.Milliseconds, Figure: report.Median(b.neighbour),
	})
	t.Add(report.Row{Label: "the first of them", Unit: report.Milliseconds, Figure: b.neighbour[0]})
	t.Add(report.Row{Label: "the slowest of them", Unit: report.Milliseconds, Figure: report.Quantile(b.neighbour, 1)})
	t.Add(report.Row{
		Label: "their median, in idle first requests", Unit: report.Times, Figure: report.Median(b.neighbour) / report.Median(b.first),
		Target: report.AtMost(neighbourTime),
	})
	t.Add(report.Row{
		Label: "its workflow, in idle workflows of copies", Unit: report.Times,
		Figure: report.Median(b.neighbourRuns) / report.Median(b.idleRuns), Target: report.AtMost(neighbourTime),
	})
	return t
}

func (b burst) perSecond() float64 { return b.rate }
func (b burst) median() float64    { return report.Median(b.took) }
func (b burst) p99() float64       { return report.Quantile(b.took, .99) }
func (b burst) tail() float64      { return b.p99() / b.median() }

// over returns the median of a figure over bursts.
func over(bursts []burst, figure func(burst) float64) float64 {
	all := make([]float64, len(bursts))
	for i, b := range bursts {
		all[i] = figure(b)
	}
	return report.Median(all)
}
