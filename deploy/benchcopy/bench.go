package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// bench is a run of the benchmark.
type bench struct {
	task
	self, rclone string // programs; rclone is empty if it is not installed
	dir          string
	bucket       *storage.Bucket
	sources      sourceProcess
	names        int
}

func newBench(ctx context.Context, t task) (b *bench, err error) {
	b = &bench{task: t}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if path, err := exec.LookPath("rclone"); err == nil {
		b.rclone = path
	}
	if b.bucket, err = t.bucket(ctx); err != nil {
		return nil, err
	}
	if _, err := b.bucket.Setup(ctx, false); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "cloud-mirror-benchcopy-"); err != nil {
		return nil, err
	}
	if err := b.sources.start(b.self); err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.dir))
	}
	return b, nil
}

func (b *bench) close() error { return errors.Join(b.sources.close(), os.RemoveAll(b.dir)) }

// describe says what the figures depend on.
func (b *bench) describe() string {
	rclone := "rclone is not installed"
	if out, err := exec.Command(b.rclone, "version").Output(); err == nil { //nolint:gosec,noctx // rclone; it is quick
		rclone, _, _ = strings.Cut(string(out), "\n")
	}
	return fmt.Sprintf("part_size %s, parts %d, memory %s; %s; %d processors for all processes together; the S3 server's files in %s.\n"+
		"The slow source answers after %s and sends %g MB/s on each connection. The limit is a GET to nowhere and then a PUT\n"+
		"from memory, without checksum.\n",
		size(b.PartSize), b.Parts, size(b.Memory), rclone, runtime.NumCPU(), os.TempDir(), headDelay, connRate/1e6)
}

// object is what is copied, and how often.
type object struct {
	size  int64
	runs  int
	slow  bool
	kind  string // the first segment of its path; see [sources.handler]
	way   string // in which it must be copied
	alone bool   // neither rclone nor the limit
	again bool   // also by a process that has made one such copy before
}

func (o object) String() string {
	source := "plain"
	if o.slow {
		source = "slow"
	}
	runs := "one run"
	if o.runs > 1 {
		runs = fmt.Sprintf("median of %d", o.runs)
	}
	return fmt.Sprintf("%s from the %s source, %s", size(o.size), source, runs)
}

// samples are those of one object.
type samples struct{ ours, again, rclone, limit []sample }

func (b *bench) measure(ctx context.Context) (rows []row, err error) {
	var sent sentMost
	for _, o := range []object{
		{size: mib, runs: 5, kind: "bytes", way: copier.WayRequest, again: true},
		{size: 64 * mib, runs: 5, kind: "bytes", way: copier.WayRanges, again: true},
		{size: gib, runs: 3, kind: "bytes", way: copier.WayRanges},
		{size: mib, runs: 5, kind: "bytes", way: copier.WayRequest, slow: true},
		{size: 64 * mib, runs: 3, kind: "bytes", way: copier.WayRanges, slow: true},
		{size: gib, runs: 1, kind: "bytes", way: copier.WayRanges, slow: true}, // rclone takes 43 s
	} {
		if !strings.Contains(o.String(), b.only) {
			continue
		}
		s, err := b.object(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		rows = append(rows, b.compare(o, s)...)
		sent.add(o, s)
	}
	if b.only != "" {
		return append(rows, sent.rows()...), nil
	}
	crowd, err := b.crowd(ctx)
	if err != nil {
		return nil, err
	}
	stream := object{size: 64 * mib, runs: 1, kind: "stream", way: copier.WayStream, alone: true}
	s, err := b.object(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("one stream: %w", err)
	}
	sent.add(stream, s)
	again, err := b.killed(ctx)
	if err != nil {
		return nil, fmt.Errorf("kill -9: %w", err)
	}
	return append(append(append(rows, crowd...), sent.rows()...), again), nil
}

// object takes turns, so that what else the machine does meets everybody.
func (b *bench) object(ctx context.Context, o object) (s samples, err error) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), o)
	for range o.runs {
		ours, err := b.once(ctx, o, func(t task) (sample, error) { return b.own(ctx, runCopy, t) })
		if err == nil && ours.Way != o.way {
			err = fmt.Errorf("it was copied by %s instead of %s", ours.Way, o.way)
		}
		if err != nil {
			return s, err
		}
		s.ours = append(s.ours, ours)
		if o.again {
			again, err := b.once(ctx, o, func(t task) (sample, error) { return b.again(ctx, o, t) })
			if err != nil {
				return s, err
			}
			s.again = append(s.again, again)
		}
		if b.rclone != "" && !o.alone {
			rclone, err := b.once(ctx, o, func(t task) (sample, error) { return b.withRclone(ctx, t) })
			if err != nil {
				return s, err
			}
			s.rclone = append(s.rclone, rclone)
		}
		if !o.slow && !o.alone {
			limit, err := b.once(ctx, o, func(t task) (sample, error) { return b.own(ctx, runLimit, t) })
			if err != nil {
				return s, err
			}
			s.limit = append(s.limit, limit)
		}
	}
	return s, nil
}

// again copies by a process that has copied another object before, as a worker has.
func (b *bench) again(ctx context.Context, o object, t task) (sample, error) {
	before := b.job(o)
	t.Before = &before
	s, err := b.own(ctx, runCopy, t)
	if err != nil {
		return s, err
	}
	s.wall, s.cpu = s.Wall, s.CPU
	return s, b.remove(ctx, before)
}

// once copies a new object, makes sure that it is there, and deletes it.
func (b *bench) once(ctx context.Context, o object, do func(task) (sample, error)) (sample, error) {
	t := b.task
	t.Copies = []job{b.job(o)}
	s, err := do(t)
	if err != nil {
		return s, err
	}
	if err := b.remove(ctx, t.Copies[0]); err != nil {
		return s, err
	}
	sent, err := b.sources.count(ctx, t.Copies[0].Key)
	s.sent = float64(sent) / float64(o.size)
	return s, err
}

// job names a new object.
func (b *bench) job(o object) job {
	b.names++
	name := fmt.Sprintf("object-%d", b.names)
	source := b.sources.Plain
	if o.slow {
		source = b.sources.Slow
	}
	return job{URL: fmt.Sprintf("%s/%s/%d/%s", source, o.kind, o.size, name), Key: name, Size: o.size}
}

func (b *bench) remove(ctx context.Context, c job) error {
	stored, err := b.bucket.Head(ctx, c.Key)
	if err == nil && stored.Size != c.Size {
		err = fmt.Errorf("%s has %d bytes instead of %d", c.Key, stored.Size, c.Size)
	}
	return errors.Join(err, b.bucket.Delete(ctx, c.Key))
}

// What is copied at the same time by one process, which has so much for its parts.
const (
	crowdCopies = 32
	crowdSize   = 256 * mib
	crowdMemory = 384 * mib
)

// crowd makes many copies at the same time.
func (b *bench) crowd(ctx context.Context) ([]row, error) {
	title := fmt.Sprintf("%d copies of %s at the same time, memory %s", crowdCopies, size(crowdSize), size(crowdMemory))
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), title)
	t := b.task
	t.Memory = crowdMemory
	for range crowdCopies {
		t.Copies = append(t.Copies, b.job(object{size: crowdSize, kind: "bytes"}))
	}
	s, err := b.own(ctx, runCopy, t)
	for _, c := range t.Copies {
		err = errors.Join(err, b.remove(ctx, c))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", title, err)
	}
	return []row{
		{what: title},
		{what: "wall time", unit: seconds, figure: figures{ours: s.wall.Seconds()}},
		{what: "CPU per GiB", unit: seconds, figure: figures{ours: s.cpu.Seconds() * gib / (crowdCopies * crowdSize)}},
		{what: "peak memory", unit: mebibytes, figure: figures{ours: float64(s.memory)}, target: figures{ours: memoryOfCrowd}},
	}, nil
}
