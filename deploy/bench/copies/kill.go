package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// slowSize is the size of the object from sources with a low rate, in bytes.
const slowSize = 98e6

// killedCopy kills the process of a copy with SIGKILL when the source has sent a part of it, from 0 to
// 1. Another process resumes the copy. killedCopy returns that process, and the bytes that the source
// sent to both.
func (b *bench) killedCopy(ctx context.Context, o object, at float64) (s sample, sent int64, err error) {
	t := b.task
	c := b.job(o)
	t.State = filepath.Join(b.dir, "state-"+c.Key)
	t.Copies = []job{c}
	program, err := taskProgram(runCopy, t)
	if err != nil {
		return s, 0, err
	}
	err = process.RunAndKill(ctx, program, func() (bool, error) {
		sent, err := b.sources.count(ctx, c.Key)
		return float64(sent) >= float64(c.Size)*at, err
	})
	if err != nil {
		return s, 0, err
	}
	if s, err = b.runSelf(ctx, runCopy, t); err != nil {
		return s, 0, err
	}
	sent, err = b.sources.count(ctx, c.Key)
	return s, sent, errors.Join(err, b.remove(ctx, c))
}

// killed measures a copy from a fast source that is killed at 60 %.
func (b *bench) killed(ctx context.Context) (report.Row, error) {
	progress("kill -9")
	s, sent, err := b.killedCopy(ctx, object{size: gib, kind: "bytes"}, 0.6)
	if err != nil {
		return report.Row{}, err
	}
	if s.Resumed == 0 {
		return report.Row{}, errors.New("the second process resumed nothing of the first")
	}
	return report.Row{
		Label: fmt.Sprintf("kill -9 at 60 %%, %.0f %% resumed", 100*float64(s.Resumed)/gib), Unit: report.Times,
		Figure: float64(sent) / gib, Target: report.AtMost(1 + float64(b.Parts)*float64(b.PartSize)/gib),
	}, nil
}

// slowSources measures sources of slowRate. One shares the rate among its connections: a kill -9 must
// cost few bytes. The other gives each connection an equal part: a copy must use all of them.
func (b *bench) slowSources(ctx context.Context, table *report.Table) error {
	table.Title(fmt.Sprintf("%g MB from sources of %g MB/s", slowSize/1e6, slowRate/1e6))
	together := object{size: slowSize, kind: "together"}
	for _, at := range []float64{0.1, 0.3, 0.5, 0.7, 0.9} {
		label := fmt.Sprintf("kill -9 at %.0f %%: parts fetched again", 100*at)
		progress(label)
		_, sent, err := b.killedCopy(ctx, together, at)
		if err != nil {
			return fmt.Errorf("%s: %w", label, err)
		}
		table.Add(report.Row{
			Label: label, Unit: report.Times, Figure: float64(sent-slowSize) / float64(b.PartSize), Target: report.AtMost(partsAgain),
		})
	}
	for _, kind := range []string{together.kind, "each"} {
		o := object{size: slowSize, runs: 1, kind: kind, way: copier.WayRanges, ownOnly: true}
		s, err := b.object(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		rate := slowSize / median(s.ours, func(s sample) float64 { return s.Usage.Wall.Seconds() })
		label := "rate, divided by that of the source"
		if kind == "each" {
			label = fmt.Sprintf("rate, divided by that of %d capped connections", b.Parts)
		}
		table.Add(report.Row{Label: label, Unit: report.Times, Figure: rate / slowRate, Target: report.AtLeast(rateOfSlow)})
	}
	return nil
}
