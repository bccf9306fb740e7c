package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// One process makes crowdCopies at the same time, with a worker.memory of crowdMemory.
const (
	crowdCopies = 32
	crowdSize   = 256 * mib
	crowdMemory = 384 * mib
)

// crowd measures many copies at the same time.
func (b *bench) crowd(ctx context.Context, table *report.Table) error {
	title := fmt.Sprintf("%d copies of %s at the same time, memory %s", crowdCopies, report.Size(crowdSize), report.Size(crowdMemory))
	progress(title)
	t := b.task
	t.Memory = crowdMemory
	for range crowdCopies {
		t.Copies = append(t.Copies, b.job(object{size: crowdSize, kind: "bytes"}))
	}
	s, err := b.runSelf(ctx, runCopy, t)
	for _, c := range t.Copies {
		err = errors.Join(err, b.remove(ctx, c))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	table.Title(title)
	table.Add(report.Row{Label: "wall time", Unit: report.Seconds, Figure: s.Usage.Wall.Seconds()})
	table.Add(report.Row{Label: "CPU per GiB", Unit: report.Seconds, Figure: s.Usage.CPU.Seconds() * gib / (crowdCopies * crowdSize)})
	table.Add(report.Row{Label: "peak memory", Unit: report.MiB, Figure: float64(s.Memory), Target: report.AtMost(memoryOfCrowd)})
	return nil
}
