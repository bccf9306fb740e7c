package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// Targets: what ours may be of another's.
const (
	wallOfRclone     = 0.8
	wallOfRcloneSlow = 0.4
	wallOfLimit      = 1.25
	cpuOfRclone      = 0.25
	memoryOfGiB      = 100 * mib // bytes, of one copy of 1 GiB
)

// notInstalled is rclone's figure if there is no rclone.
const notInstalled = -1

// row is a line of the table. Figures that are 0 were not measured, targets that are 0 are none; without a unit it is a
// title.
type row struct {
	what                        string
	unit                        func(float64) string
	ours, rclone, limit         float64
	most, ofRclone, ofLimitMost float64 // targets: of ours as it is, and divided by the others
}

// compare makes the rows of one object.
func (b *bench) compare(o object, s samples) []row {
	wall := func(s sample) float64 { return s.wall.Seconds() }
	longer := func(s sample) float64 { return (s.wall - min(s.Get, s.Put)).Seconds() }
	cpu := func(s sample) float64 { return s.cpu.Seconds() * gib / float64(o.size) }
	memory := func(s sample) float64 { return float64(s.memory) }
	make := func(what string, unit func(float64) string, f func(sample) float64) row {
		r := row{what: what, unit: unit, ours: median(s.ours, f), rclone: median(s.rclone, f), limit: median(s.limit, f)}
		if b.rclone == "" {
			r.rclone = notInstalled
		}
		return r
	}
	rows := []row{{what: o.String()}, make("wall time", seconds, wall)}
	rows[1].ofRclone, rows[1].ofLimitMost = wallOfRclone, wallOfLimit
	if o.slow {
		rows[1].ofRclone = wallOfRcloneSlow
	} else {
		rows = append(rows, row{
			what: "– to the longer of GET and PUT", unit: seconds, ours: median(s.ours, wall), limit: median(s.limit, longer),
		})
	}
	cpuRow, memoryRow := make("CPU per GiB", seconds, cpu), make("peak memory", size[float64], memory)
	cpuRow.ofRclone = cpuOfRclone
	if o.size == gib {
		memoryRow.most = memoryOfGiB
	}
	return append(rows, cpuRow, memoryRow)
}

// median is of each figure by itself; 0 of none.
func median(s []sample, f func(sample) float64) float64 {
	if len(s) == 0 {
		return 0
	}
	var all []float64
	for _, one := range s {
		all = append(all, f(one))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// sentMost is the most that the source sent in any copy, by how ours was made.
type sentMost struct{ order []row }

func (m *sentMost) add(o object, s samples) {
	i := slices.IndexFunc(m.order, func(r row) bool { return r.what == o.way })
	if i < 0 {
		i = len(m.order)
		m.order = append(m.order, row{what: o.way, unit: times, most: 1})
	}
	r := &m.order[i]
	for _, ours := range s.ours {
		r.ours = max(r.ours, ours.sent)
	}
	for _, rclone := range s.rclone {
		r.rclone = max(r.rclone, rclone.sent)
	}
}

func (m *sentMost) rows() []row {
	return append([]row{{what: "Bytes from the source, of the object's size, at most"}}, m.order...)
}

// printTable writes what was measured on the left, the numbers flush right, and what was missed at the end.
func printTable(w io.Writer, rows []row) {
	line := func(cells ...string) {
		text := fmt.Sprintf("%-40s%10s%9s  |%14s%7s%8s  |%10s%7s%8s  %s", toAny(cells)...)
		fmt.Fprintln(w, strings.TrimRight(text, " "))
	}
	line("", "ours", "target", "rclone", "ratio", "target", "limit", "ratio", "target", "")
	for _, r := range rows {
		if r.unit == nil {
			fmt.Fprintln(w, r.what)
			continue
		}
		line(append([]string{"  " + r.what}, r.cells()...)...)
	}
}

func (r row) cells() []string {
	var missed []string
	check := func(ours, most float64, what string) {
		if most > 0 && ours > most {
			missed = append(missed, what)
		}
	}
	cells := []string{r.unit(r.ours), show(r.most, r.unit)}
	check(r.ours, r.most, "")
	other := func(figure, most float64, what string) {
		switch {
		case figure == notInstalled:
			cells = append(cells, "not installed", "–", show(most, times))
		case figure == 0:
			cells = append(cells, "", "", "")
		default:
			cells = append(cells, r.unit(figure), times(r.ours/figure), show(most, times))
			check(r.ours/figure, most, what)
		}
	}
	other(r.rclone, r.ofRclone, " to rclone")
	other(r.limit, r.ofLimitMost, " to the limit")
	if len(missed) == 0 {
		return append(cells, "")
	}
	return append(cells, "missed"+strings.Join(missed, ","))
}

func show(f float64, unit func(float64) string) string {
	if f == 0 {
		return ""
	}
	return unit(f)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

func times(f float64) string { return fmt.Sprintf("%.2f", f) }

func size[T ~int | ~int64 | ~float64](n T) string {
	text, _ := config.Size(n).MarshalText()
	return string(text)
}

func toAny(cells []string) []any {
	all := make([]any, len(cells))
	for i, c := range cells {
		all[i] = c
	}
	return all
}
