package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// engine makes copies as a worker does.
type engine struct {
	task
	copier *copier.Copier
}

// newEngine also limits the memory of this process, as the worker does.
func newEngine(ctx context.Context, t task) (*engine, error) {
	ends, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	cfg := t.settings()
	debug.SetMemoryLimit(cfg.MemoryLimit())
	return &engine{task: t, copier: ends.Copiers()[0]}, nil
}

// copyAll makes [task.Before], and then all copies at the same time. Its outcome has the way of the
// last copy.
func copyAll(ctx context.Context, t task) (out outcome, err error) {
	if t.Profile != "" {
		stop, err := profile(filepath.Join(t.Profile, filepath.Base(t.Copies[0].Key)+".pprof"))
		if err != nil {
			return out, err
		}
		defer stop()
	}
	e, err := newEngine(ctx, t)
	if err != nil {
		return out, err
	}
	if t.Before != nil {
		if _, err := e.copy(ctx, *t.Before); err != nil {
			return out, err
		}
	}
	start := time.Now()
	cpu, err := process.CPU()
	if err != nil {
		return out, err
	}
	results, err := e.copyAtOnce(ctx, t.Copies)
	if err != nil {
		return out, err
	}
	out.Wall = time.Since(start)
	for _, r := range results {
		out.Way = r.Way
		out.Resumed += r.Resumed
	}
	used, err := process.CPU()
	out.CPU = used - cpu
	return out, err
}

func (e *engine) copyAtOnce(ctx context.Context, jobs []job) ([]copier.Result, error) {
	results := make([]copier.Result, len(jobs))
	group, ctx := errgroup.WithContext(ctx)
	for i, j := range jobs {
		group.Go(func() (err error) {
			results[i], err = e.copy(ctx, j)
			return err
		})
	}
	return results, group.Wait()
}

func (e *engine) copy(ctx context.Context, j job) (copier.Result, error) {
	work := newWork(j)
	work.First = true
	result, err := e.copier.Run(ctx, work)
	if err != nil || result.Large == nil {
		return result, err
	}
	large := *result.Large
	work = newWork(j)
	work.Meta = large
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if e.State != "" {
		if work.Resume, err = readState(e.State); err != nil {
			return copier.Result{}, err
		}
		work.Checkpoint = func(s copier.State) {
			if err := writeState(e.State, s); err != nil {
				cancel(err)
			}
		}
	}
	result, err = e.copier.Run(ctx, work)
	if err != nil {
		return result, fmt.Errorf("copy %s: %w", j.URL, errors.Join(err, context.Cause(ctx)))
	}
	return result, nil
}

func newWork(j job) *copier.Job {
	return &copier.Job{
		URL: j.URL, Meta: origin.Meta{Size: -1}, Checkpoint: func(copier.State) {},
		Server: func(origin.Meta) *storage.CopySource { return nil },
		Spec: func(m origin.Meta) storage.ObjectSpec {
			return storage.ObjectSpec{
				Key: j.Key, ContentType: m.ContentType, Metadata: map[string]string{storage.MetadataCopyID: j.Key},
			}
		},
	}
}

// readState returns the zero state if there is no file.
func readState(path string) (s copier.State, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}

// writeState replaces the file, so that a SIGKILL leaves either the old state or the new one.
func writeState(path string, s copier.State) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func profile(path string) (stop func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}
