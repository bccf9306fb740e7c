package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

const (
	bucketName = "bench-copy"
	poolParts  = 128 // pools[].max_parts
)

// settings are the product's, with this benchmark's sources and bucket.
func (t task) settings() config.Config {
	cfg := config.Default()
	cfg.Source.AllowedPatterns, cfg.Source.EnsureSSL = []string{`http://127\.0\.0\.1:`}, false
	cfg.Source.AllowedNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.S3.PartSize, cfg.Worker.Memory, cfg.Worker.Parts = t.PartSize, t.Memory, t.Parts
	cfg.Pools = []config.Pool{{
		Service: "s3", Region: t.Region, Bucket: bucketName, Endpoint: t.Endpoint, PathStyle: true, MaxParts: poolParts,
	}}
	return cfg
}

// bucket is opened as the worker does it.
func (t task) bucket(ctx context.Context) (*storage.Bucket, error) {
	cfg := t.settings()
	aws, err := cfg.AWS(ctx, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	return storage.Open(aws, cfg.StoragePools()[0]), nil
}

// engine is the worker's, with its limit on memory.
func (t task) engine(ctx context.Context) (*copier.Copier, *origin.Client, error) {
	cfg := t.settings()
	debug.SetMemoryLimit(cfg.MemoryLimit())
	bucket, err := t.bucket(ctx)
	if err != nil {
		return nil, nil, err
	}
	source, err := origin.New(cfg.Origin())
	if err != nil {
		return nil, nil, err
	}
	return cfg.Copiers(source, []*storage.Bucket{bucket})[0], source, nil
}

// copyAll makes all copies at the same time, after the one before them. Of their ways it returns the last one's.
func copyAll(ctx context.Context, t task) (out outcome, err error) {
	if t.Profile != "" {
		stop, err := profile(filepath.Join(t.Profile, filepath.Base(t.Copies[0].Key)+".pprof"))
		if err != nil {
			return out, err
		}
		defer stop()
	}
	engine, source, err := t.engine(ctx)
	if err != nil {
		return out, err
	}
	if t.Before != nil {
		if _, err := t.copyOne(ctx, engine, source, *t.Before); err != nil {
			return out, err
		}
	}
	start, cpu := time.Now(), usedCPU()
	results := make([]copier.Result, len(t.Copies))
	group, ctx := errgroup.WithContext(ctx)
	for i, c := range t.Copies {
		group.Go(func() (err error) {
			results[i], err = t.copyOne(ctx, engine, source, c)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return out, err
	}
	out.Wall, out.CPU = time.Since(start), usedCPU()-cpu
	for _, r := range results {
		out.Way = r.Way
		out.Fetched += r.Fetched
		out.Resumed += r.Resumed
	}
	return out, nil
}

// usedCPU is what this process has used.
func usedCPU() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func (t task) copyOne(ctx context.Context, engine *copier.Copier, source *origin.Client, c job) (copier.Result, error) {
	meta, err := source.Head(ctx, c.URL)
	if err != nil {
		return copier.Result{}, err
	}
	j := &copier.Job{
		URL: c.URL, Meta: meta,
		Spec:       storage.ObjectSpec{Key: c.Key, ContentType: meta.ContentType, Metadata: map[string]string{storage.MetadataCopyID: c.Key}},
		Checkpoint: func(copier.State) {},
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if t.State != "" {
		if j.Resume, err = readState(t.State); err != nil {
			return copier.Result{}, err
		}
		j.Checkpoint = func(s copier.State) {
			if err := writeState(t.State, s); err != nil {
				cancel(err)
			}
		}
	}
	result, err := engine.Run(ctx, j)
	if err != nil {
		return result, fmt.Errorf("copy %s: %w", c.URL, errors.Join(err, context.Cause(ctx)))
	}
	return result, nil
}

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

// writeState outlives this process, however it ends.
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
