package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Targets: what ours may be of another's.
const (
	wallOfRclone     = 0.8
	wallOfRcloneSlow = 0.4
	wallOfLimit      = 1.25
	cpuOfRclone      = 0.25
	memoryOfGiB      = 100 * mib // bytes, of one copy of 1 GiB
	memoryOfCrowd    = 512 * mib // bytes
)

// notInstalled is rclone's figure if there is no rclone.
const notInstalled = -1

// row is a line of the table. Figures that are 0 were not measured, targets that are 0 are none; a line without a unit is
// a title.
type row struct {
	what   string
	unit   func(float64) string
	figure figures
	// target is the most that ours may be: as it is, and divided by the others.
	target figures
}

type figures struct{ ours, rclone, limit float64 }

// compare makes the rows of one object.
func (b *bench) compare(o object, s samples) []row {
	line := func(what string, unit func(float64) string, ours []sample, f func(sample) float64, target figures) row {
		figure := figures{median(ours, f), median(s.rclone, f), median(s.limit, f)}
		if b.rclone == "" {
			figure.rclone = notInstalled
		}
		return row{what, unit, figure, target}
	}
	wall := func(s sample) float64 { return s.wall.Seconds() }
	longer := func(s sample) float64 { return (s.wall - min(s.Get, s.Put)).Seconds() }
	cpu := func(s sample) float64 { return s.cpu.Seconds() * gib / float64(o.size) }
	memory := func(s sample) float64 { return float64(s.memory) }

	wallTarget, memoryTarget := figures{rclone: wallOfRclone, limit: wallOfLimit}, figures{}
	if o.slow {
		wallTarget.rclone = wallOfRcloneSlow
	}
	if o.size == gib {
		memoryTarget.ours = memoryOfGiB
	}
	rows := []row{
		{what: o.String()},
		line("wall time", seconds, s.ours, wall, wallTarget),
		line("CPU per GiB", seconds, s.ours, cpu, figures{rclone: cpuOfRclone}),
		line("peak memory", mebibytes, s.ours, memory, memoryTarget),
	}
	if len(s.limit) > 0 {
		rows = append(rows, row{what: "wall time, longer of GET and PUT", unit: seconds,
			figure: figures{ours: median(s.ours, wall), limit: median(s.limit, longer)}})
	}
	if len(s.again) > 0 {
		rows = append(rows, line("wall time, second copy of a process", seconds, s.again, wall, figures{}),
			line("CPU per GiB, second copy of a process", seconds, s.again, cpu, figures{}))
	}
	return rows
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
type sentMost []row

func (m *sentMost) add(o object, s samples) {
	i := slices.IndexFunc(*m, func(r row) bool { return r.what == o.way })
	if i < 0 {
		i = len(*m)
		*m = append(*m, row{what: o.way, unit: times, target: figures{ours: 1}})
	}
	r := &(*m)[i]
	for _, ours := range s.ours {
		r.figure.ours = max(r.figure.ours, ours.sent)
	}
	for _, rclone := range s.rclone {
		r.figure.rclone = max(r.figure.rclone, rclone.sent)
	}
}

func (m *sentMost) rows() []row {
	return append([]row{{what: "bytes that the source sent, divided by the object's size, the most of all runs"}}, *m...)
}

// printTable writes what was measured on the left, the numbers flush right, and what was missed at the end.
func printTable(w io.Writer, rows []row) {
	line := func(cells ...any) {
		text := fmt.Sprintf("%-40s%10s%9s %15s%7s%8s %12s%7s%8s   %s", cells...)
		fmt.Fprintln(w, strings.TrimRight(text, " "))
	}
	line("", "ours", "target", "rclone", "ratio", "target", "limit", "ratio", "target", "")
	for _, r := range rows {
		if r.unit == nil {
			fmt.Fprintf(w, "\n%s\n", r.what)
			continue
		}
		line(slices.Concat([]any{"  " + r.what, r.unit(r.figure.ours), show(r.unit, r.target.ours)},
			r.against(r.figure.rclone, r.target.rclone), r.against(r.figure.limit, r.target.limit), []any{r.missed()})...)
	}
}

// against are the cells that compare ours with another.
func (r row) against(other, target float64) []any {
	switch other {
	case 0:
		return []any{"", "", ""}
	case notInstalled:
		return []any{"not installed", "", show(times, target)}
	}
	return []any{r.unit(other), times(r.figure.ours / other), show(times, target)}
}

// missed says which targets were.
func (r row) missed() string {
	var missed []string
	check := func(ours, target float64, what string) {
		if target > 0 && ours > target {
			missed = append(missed, what)
		}
	}
	check(r.figure.ours, r.target.ours, "missed")
	if r.figure.rclone > 0 {
		check(r.figure.ours/r.figure.rclone, r.target.rclone, "missed against rclone")
	}
	if r.figure.limit > 0 {
		check(r.figure.ours/r.figure.limit, r.target.limit, "missed against the limit")
	}
	return strings.Join(missed, ", ")
}

func show(unit func(float64) string, f float64) string {
	if f == 0 {
		return ""
	}
	return unit(f)
}

func seconds(s float64) string { return fmt.Sprintf("%.3f s", s) }

func times(f float64) string { return fmt.Sprintf("%.2f", f) }

func mebibytes(n float64) string { return fmt.Sprintf("%.0f MiB", n/mib) }

// size is a size as people write it.
func size[T ~int | ~int64](n T) string {
	if n >= gib && n%gib == 0 {
		return fmt.Sprintf("%d GiB", n/gib)
	}
	return mebibytes(float64(n))
}
