package main

import (
	"slices"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// Targets: upper bounds of the product's figures, or of their ratios.
const (
	wallOfRclone     = 0.8
	wallOfRcloneSlow = 0.4
	wallOfRcloneSoon = 0.75 // Of one request to the slow source
	rateOfSingle     = 0.8
	rateOfSlow       = 0.9
	partsAgain       = 2 // After a kill -9, from a slow source
	// sentMore allows for the first request for a large object, which is closed unread. The kernels
	// of both sides hold about 4 MiB of it, on loopback.
	sentMore      = 1.1
	wallOfLimit   = 1.25
	cpuOfRclone   = 0.25
	memoryOfGiB   = 100 * mib // Bytes, of one copy of 1 GiB
	memoryOfCrowd = 512 * mib // Bytes
)

// targets are upper bounds, 0 is none.
type targets struct{ ours, rclone, limit float64 }

func (t targets) ratios(ours, rclone, limit float64, rcloneInstalled bool) []report.Ratio {
	ofRclone := report.Against(ours, rclone, report.AtMost(t.rclone))
	if !rcloneInstalled {
		ofRclone = report.Ratio{Note: "not installed", Target: report.AtMost(t.rclone)}
	}
	return []report.Ratio{ofRclone, report.Against(ours, limit, report.AtMost(t.limit))}
}

// addObject adds the rows of one object.
func (b *bench) addObject(t *report.Table, o object, s samples) {
	wall := func(s sample) float64 { return s.Usage.Wall.Seconds() }
	longer := func(s sample) float64 { return (s.Usage.Wall - min(s.Get, s.Put)).Seconds() }
	cpu := func(s sample) float64 { return s.Usage.CPU.Seconds() * gib / float64(o.size) }
	memory := func(s sample) float64 { return float64(s.Memory) }

	add := func(label string, unit report.Unit, ours []sample, f func(sample) float64, target targets) {
		figure := median(ours, f)
		t.Add(report.Row{
			Label: label, Unit: unit, Figure: figure, Target: report.AtMost(target.ours),
			Ratios: target.ratios(figure, median(s.rclone, f), median(s.limit, f), b.rclone != ""),
		})
	}
	wallTarget, memoryTarget := targets{rclone: wallOfRclone, limit: wallOfLimit}, targets{}
	if o.slow {
		wallTarget = targets{rclone: wallOfRcloneSlow}
		if o.way == copier.WayRequest {
			wallTarget.rclone = wallOfRcloneSoon
		}
	}
	if o.size == gib {
		memoryTarget.ours = memoryOfGiB
	}
	t.Title(o.String())
	add("wall time", report.Seconds, s.ours, wall, wallTarget)
	add("CPU per GiB", report.Seconds, s.ours, cpu, targets{rclone: cpuOfRclone})
	add("peak memory", report.MiB, s.ours, memory, memoryTarget)
	if len(s.limit) > 0 {
		ours, limit := median(s.ours, wall), median(s.limit, longer)
		t.Add(report.Row{
			Label: "wall time, longer of GET and PUT", Unit: report.Seconds, Figure: ours,
			Ratios: targets{}.ratios(ours, 0, limit, true),
		})
	}
	if len(s.second) > 0 {
		add("wall time, second copy of a process", report.Seconds, s.second, wall, targets{})
		add("CPU per GiB, second copy of a process", report.Seconds, s.second, cpu, targets{})
	}
}

// median is that of one figure of the samples, and 0 of no samples.
func median(s []sample, f func(sample) float64) float64 {
	var all []float64
	for _, one := range s {
		all = append(all, f(one))
	}
	return report.Median(all)
}

// sentMost is the most that the source sent in any copy, by the way of the product's copies.
type sentMost []sentRow

type sentRow struct {
	way          string
	ours, rclone float64 // Divided by the size of the object
}

func (m *sentMost) add(o object, s samples) {
	i := slices.IndexFunc(*m, func(r sentRow) bool { return r.way == o.way })
	if i < 0 {
		i = len(*m)
		*m = append(*m, sentRow{way: o.way})
	}
	r := &(*m)[i]
	for _, ours := range s.ours {
		r.ours = max(r.ours, ours.sent)
	}
	for _, rclone := range s.rclone {
		r.rclone = max(r.rclone, rclone.sent)
	}
}

func (m *sentMost) addTo(t *report.Table) {
	t.Title("bytes that the source sent, divided by the object's size, the most of all runs")
	for _, r := range *m {
		t.Add(report.Row{
			Label: r.way, Unit: report.Times, Figure: r.ours, Target: report.AtMost(sentMore),
			Ratios: []report.Ratio{report.Against(r.ours, r.rclone, report.Target{})},
		})
	}
}
