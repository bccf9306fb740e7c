package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// unitGrowth is the bound of a cost of one hit or one copy: how often the smallest size's.
const unitGrowth = 2

// growth is how a figure may grow.
type growth int

const (
	free    growth = iota // Without a bound
	perUnit               // A cost of one hit or one copy, at most unitGrowth
	linear                // No faster than the size
)

// column is one size of a section.
type column struct {
	label string
	size  int // 0 compares the column with no other
}

// columnsOf returns a column for each size.
func columnsOf(sizes []int) (columns []column) {
	for _, n := range sizes {
		columns = append(columns, column{thousands(n), n})
	}
	return columns
}

// figure is a row of a section: a value for each column. NaN is not measured.
type figure struct {
	label  string
	unit   report.Unit
	growth growth
	// floor replaces smaller values. Otherwise a growth of almost nothing would count.
	floor  float64
	values []float64
}

// result is the table of a section. The first column is the baseline.
type result struct {
	title   string
	columns []column
	figures []figure
	notes   []string
}

// add adds a value for the next column to the figure with that label.
func (r *result) add(label string, unit report.Unit, g growth, floor, value float64) {
	for i := range r.figures {
		if r.figures[i].label == label {
			r.figures[i].values = append(r.figures[i].values, value)
			return
		}
	}
	r.figures = append(r.figures, figure{label, unit, g, floor, []float64{value}})
}

// ratio returns how often the baseline has the i-th value, or NaN.
func (f figure) ratio(i int) float64 {
	if i >= len(f.values) {
		return math.NaN()
	}
	return max(f.values[i], f.floor) / max(f.values[0], f.floor)
}

// bound is the largest ratio of the column, or infinite.
func (f figure) bound(base, c column) float64 {
	switch {
	case c.size == 0 || f.growth == free:
		return math.Inf(1)
	case f.growth == linear:
		return float64(c.size) / float64(base.size)
	default:
		return unitGrowth
	}
}

// missed lists the columns in which the figure exceeds its bound.
func (r result) missed(f figure) string {
	var missed []string
	for i, c := range r.columns {
		if ratio := f.ratio(i); i > 0 && (ratio > f.bound(r.columns[0], c) || math.IsInf(ratio, 1)) {
			missed = append(missed, c.label)
		}
	}
	if missed == nil {
		return ""
	}
	return "missed: " + strings.Join(missed, ", ")
}

// print writes the table of the section.
func (r result) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n\n", r.title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")+"\t") }
	head := []string{""}
	for i, c := range r.columns {
		head = append(head, c.label)
		if i > 0 {
			head = append(head, "growth")
		}
	}
	row(append(head, "bound", "")...)
	for _, f := range r.figures {
		cells := []string{f.label}
		for i := range r.columns {
			cells = append(cells, f.cell(i))
			if i > 0 {
				cells = append(cells, number(report.Times, f.ratio(i)))
			}
		}
		row(append(cells, [...]string{"", "≤ " + report.Times(unitGrowth), "≤ the size's"}[f.growth], r.missed(f))...)
	}
	_ = t.Flush()
	for _, note := range r.notes {
		fmt.Fprintln(w, note)
	}
}

func (f figure) cell(i int) string {
	if i >= len(f.values) {
		return ""
	}
	return number(f.unit, f.values[i])
}

func number(unit report.Unit, v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case math.IsInf(v, 0):
		return "failed"
	default:
		return unit(v)
	}
}

// microseconds writes microseconds.
func microseconds(us float64) string { return fmt.Sprintf("%.1f µs", us) }

// percent writes a part of 1.
func percent(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) }

// count writes a whole number.
func count(n float64) string { return thousands(int(n)) }

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// describe lists the conditions of the figures.
func describe(s settings) string {
	return fmt.Sprintf("%d processors for all processes together. Growth: how often the smallest size's figure.\n"+
		"Hits: %.0f/s, latencies from the scheduled time, median of %d rounds of %s.\n",
		runtime.NumCPU(), 1/cmp.Or(s.every.Seconds(), 1), s.rounds, s.length)
}
