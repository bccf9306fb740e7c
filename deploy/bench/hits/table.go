package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

// The bounds of hits, in milliseconds.
const (
	boundRatio   = 2 // Times the quiet p99
	boundExtra   = 5.0
	failureBound = 2000.0 // Of the slowest hit, while redis fails
)

// result compares the hits beside other work with those of the quiet phase before it.
type result struct {
	background    background
	quiet, beside phase
	effort        string
}

// bound returns the judged latency and its bound.
func (r result) bound() (judged, bound float64) {
	if r.background.failure {
		return r.beside.Hits.Quantile(1), failureBound
	}
	return r.beside.Hits.Quantile(.99), boundRatio*r.quiet.Hits.Quantile(.99) + boundExtra
}

// verdict reports whether the bound holds. It never does if quiet hits fail.
func (r result) verdict() string {
	if judged, bound := r.bound(); judged <= bound && !math.IsInf(bound, 1) {
		return "holds"
	}
	return "missed"
}

// describe lists the conditions of the figures.
func describe(s settings) string {
	return fmt.Sprintf("\n%d processors for all processes together. Hits: %.0f/s, one in %d from redis. Latencies in ms from the scheduled time.\n"+
		"Failed: no redirect to the copy, counted as an infinite latency.\n"+
		"Bound: the p99 ≤ %d × quiet + %.0f ms; while redis fails, the slowest hit ≤ %.0f ms.\n\n",
		runtime.NumCPU(), 1/s.every.Seconds(), fromRedis, boundRatio, boundExtra, failureBound)
}

// printTable writes a line for each row, and the details below.
func printTable(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")+"\t") }
	row("", "p50", "", "p99", "", "slowest", "", "", "processors idle", "", "front end's CPU", "", "")
	row("hits while", "quiet", "beside", "quiet", "beside", "beside", "bound", "failed", "quiet", "beside", "quiet", "beside", "")
	for _, r := range results {
		q, b := r.quiet, r.beside
		_, bound := r.bound()
		row(r.background.String(), load.Milliseconds(q.Hits.Quantile(.5)), load.Milliseconds(b.Hits.Quantile(.5)),
			load.Milliseconds(q.Hits.Quantile(.99)), load.Milliseconds(b.Hits.Quantile(.99)), load.Milliseconds(b.Hits.Quantile(1)),
			load.Milliseconds(bound), fmt.Sprintf("%d/%d", b.Hits.Failures(), b.Hits.Failures()+len(b.Hits.Took)),
			percent(q.Idle), percent(b.Idle), percent(q.FrontEnd), percent(b.FrontEnd), r.verdict())
	}
	_ = t.Flush()
	fmt.Fprintln(w)
	for _, r := range results {
		fmt.Fprintf(w, "%s: %s in %s\n  quiet:  %s\n  beside: %s\n", r.background.name, r.effort, r.beside.Length, r.quiet.Hits, r.beside.Hits)
	}
}

func percent(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) }
