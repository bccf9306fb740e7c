package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// killed kills the process of a copy with SIGKILL when the source has sent 60 %. It measures
// another process, which resumes the copy.
func (b *bench) killed(ctx context.Context) (report.Row, error) {
	progress("kill -9")
	t := b.task
	t.State = filepath.Join(b.dir, "state")
	c := b.job(object{size: gib, kind: "bytes"})
	t.Copies = []job{c}
	program, err := taskProgram(runCopy, t)
	if err != nil {
		return report.Row{}, err
	}
	err = process.RunAndKill(ctx, program, func() (bool, error) {
		sent, err := b.sources.count(ctx, c.Key)
		return sent >= c.Size*6/10, err
	})
	if err != nil {
		return report.Row{}, err
	}
	s, err := b.runSelf(ctx, runCopy, t)
	if err != nil {
		return report.Row{}, err
	}
	sent, err := b.sources.count(ctx, c.Key)
	if err := errors.Join(err, b.remove(ctx, c)); err != nil {
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
