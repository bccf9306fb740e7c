package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// The bound: the p99 beside an attack is at most twice the quiet one, for cold requests a second
// more.
const (
	boundRatio = 2
	coldExtra  = 1000.0 // Milliseconds
)

// result compares the clients beside an attack with the quiet phase before it.
type result struct {
	attack                    attack
	quiet, beside             phase
	quietMemory, besideMemory int64  // Peaks of the front end, in bytes
	effort                    string // Of the attacker
}

// comparison is a client's samples beside an attack, and those of the quiet phases.
type comparison struct{ quiet, beside load.Samples }

// holds reports whether the p99 is within the bound, with so many milliseconds more.
func (c comparison) holds(extra float64) bool {
	return c.beside.Quantile(.99) <= boundRatio*c.quiet.Quantile(.99)+extra && !math.IsInf(c.quiet.Quantile(.99), 1)
}

// cells are the p99 in a quiet phase and beside the attack.
func (c comparison) cells() []string {
	return []string{load.Milliseconds(c.quiet.Quantile(.99)), load.Milliseconds(c.beside.Quantile(.99))}
}

func (c comparison) ratio() string {
	ratio := c.beside.Quantile(.99) / c.quiet.Quantile(.99)
	if math.IsInf(ratio, 0) || math.IsNaN(ratio) {
		return "–"
	}
	return report.Times(ratio)
}

func (c comparison) failed() string {
	return fmt.Sprintf("%d/%d", c.beside.Failures(), c.beside.Failures()+len(c.beside.Took))
}

// compare compares the i-th result with the quiet phases before and after it.
func compare(results []result, i int) (hits, cold comparison) {
	hits.beside, cold.beside = results[i].beside.Hits, results[i].beside.Cold
	for _, r := range results[max(0, i-1):min(len(results), i+2)] {
		hits.quiet, cold.quiet = load.Merge(hits.quiet, r.quiet.Hits), load.Merge(cold.quiet, r.quiet.Cold)
	}
	return hits, cold
}

// describe lists the conditions of the figures.
func describe(s settings) string {
	return fmt.Sprintf("\n%d processors for all processes together. The front end has %d descriptors and frontend.max_waiters %d.\n"+
		"Hits: %.0f/s, one in %d from redis. Cold: %.1f/s. Latencies in ms from the scheduled time. Memory: the front end's peak.\n"+
		"Failed: no redirect to a copy, counted as an infinite latency.\n"+
		"Bound: the p99 of hits ≤ %d × quiet, of cold requests ≤ %[7]d × quiet + 1 s.\n\n",
		runtime.NumCPU(), s.files, maxWaiters, 1/s.hitsEvery.Seconds(), fromRedis, 1/s.coldEvery.Seconds(), boundRatio)
}

// printTable writes a line for each attack, and below it the figures of its own phases.
func printTable(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")+"\t") }
	row("", "hits p99", "", "", "", "cold p99", "", "", "memory", "", "")
	row("attack", "quiet", "beside", "ratio", "failed", "quiet", "beside", "failed", "quiet", "beside", "bound")
	for i, r := range results {
		hits, cold := compare(results, i)
		cells := append([]string{r.attack.String()}, hits.cells()...)
		cells = append(cells, hits.ratio(), hits.failed())
		cells = append(cells, cold.cells()...)
		row(append(cells, cold.failed(), report.MiB(float64(r.quietMemory)), report.MiB(float64(r.besideMemory)), verdict(hits, cold))...)
	}
	_ = t.Flush()
	fmt.Fprintln(w)
	for _, r := range results {
		fmt.Fprintf(w, "%s\n  attacker: %s\n  quiet:    %s\n  beside:   %s\n", r.attack, r.effort, r.quiet, r.beside)
	}
}

func verdict(hits, cold comparison) string {
	var missed []string
	if !hits.holds(0) {
		missed = append(missed, "hits")
	}
	if !cold.holds(coldExtra) {
		missed = append(missed, "cold")
	}
	if missed == nil {
		return "holds"
	}
	return "missed: " + strings.Join(missed, ", ")
}
