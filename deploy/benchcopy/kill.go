package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// killed ends a copy by SIGKILL when the source has sent 60 %, and goes on with it in another process.
func (b *bench) killed(ctx context.Context) (row, error) {
	fmt.Fprintf(os.Stderr, "%s  kill -9\n", time.Now().Format(time.TimeOnly))
	t := b.task
	t.State = filepath.Join(b.dir, "state")
	c := b.job(object{size: gib, kind: "bytes"})
	t.Copies = []job{c}
	if err := b.kill(ctx, t, c.Size*6/10); err != nil {
		return row{}, err
	}
	s, err := b.own(ctx, runCopy, t)
	if err != nil {
		return row{}, err
	}
	sent, err := b.sources.count(ctx, c.Key)
	if err := errors.Join(err, b.remove(ctx, c)); err != nil {
		return row{}, err
	}
	if s.Resumed == 0 {
		return row{}, errors.New("the second try found nothing of the first")
	}
	return row{
		what: fmt.Sprintf("kill -9 at 60 %%, %.0f %% resumed", 100*float64(s.Resumed)/gib), unit: times,
		figure: figures{ours: float64(sent) / gib},
		target: figures{ours: 1 + float64(b.Parts)*float64(b.PartSize)/gib},
	}, nil
}

// kill starts a copy and kills it when the source has sent so many bytes.
func (b *bench) kill(ctx context.Context, t task, at int64) error {
	cmd, err := b.command(ctx, runCopy, t)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("the copy ended before it was killed: %w", err)
		case <-look.C:
		}
		sent, err := b.sources.count(ctx, t.Copies[0].Key)
		if err != nil || sent >= at {
			err = errors.Join(err, cmd.Process.Kill())
			if ended := <-ended; ended == nil {
				err = errors.Join(err, errors.New("the copy ended before it was killed"))
			}
			return err
		}
	}
}
