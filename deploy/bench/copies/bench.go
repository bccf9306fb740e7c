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
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// onlySlow, as the flag -only, measures slow sources and nothing else.
const onlySlow = "kill"

// bench is a run of the benchmark.
type bench struct {
	task
	rclone  string // Its path, empty if it is not installed
	dir     string
	bucket  *storage.Bucket
	sources *sourceProcess
	names   int
}

func newBench(ctx context.Context, t task) (b *bench, err error) {
	b = &bench{task: t}
	if path, err := exec.LookPath("rclone"); err == nil {
		b.rclone = path
	}
	ends, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	b.bucket = ends.Buckets[0]
	if _, err := b.bucket.Setup(ctx, false); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "cloud-mirror-bench-copy-"); err != nil {
		return nil, err
	}
	if b.sources, err = startSources(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.dir))
	}
	return b, nil
}

func (b *bench) close() error {
	b.sources.Stop()
	return os.RemoveAll(b.dir)
}

// describe lists the conditions of the figures.
func (b *bench) describe(ctx context.Context) string {
	rclone := "rclone is not installed"
	if b.rclone != "" {
		if out, err := exec.CommandContext(ctx, b.rclone, "version").Output(); err == nil { //nolint:gosec // rclone
			rclone, _, _ = strings.Cut(string(out), "\n")
		}
	}
	return fmt.Sprintf("part_size %s, parts %d, memory %s; %s; %d processors for all processes together; the S3 server's files in %s.\n"+
		"The slow source responds after %s and sends %g MB/s on each connection. The limit is a GET that drops the object, and then\n"+
		"a PUT from memory without checksum.\n",
		report.Size(b.PartSize), b.Parts, report.Size(b.Memory), rclone, runtime.NumCPU(), os.TempDir(), headDelay, connRate/1e6)
}

// object is an object to copy, and how to measure that.
type object struct {
	size      int64
	runs      int
	slow      bool
	kind      string // The first segment of its path, see [sources.handler]
	way       string // The expected way of the copy
	ownOnly   bool   // Measure neither rclone nor the limit
	andSecond bool   // Also measure the second copy of a process
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
	return fmt.Sprintf("%s from the %s source, %s", report.Size(o.size), source, runs)
}

func objects() []object {
	return []object{
		{size: mib, runs: 5, kind: "bytes", way: copier.WayRequest, andSecond: true},
		{size: 64 * mib, runs: 5, kind: "bytes", way: copier.WayRanges, andSecond: true},
		{size: gib, runs: 3, kind: "bytes", way: copier.WayRanges},
		{size: mib, runs: 5, kind: "bytes", way: copier.WayRequest, slow: true},
		{size: 64 * mib, runs: 3, kind: "bytes", way: copier.WayRanges, slow: true},
		{size: gib, runs: 1, kind: "bytes", way: copier.WayRanges, slow: true}, // Takes rclone 43 s
	}
}

func (b *bench) measure(ctx context.Context) (*report.Table, error) {
	t := report.New(report.Baseline{Name: "rclone", Column: true}, report.Baseline{Name: "limit", Column: true})
	var sent sentMost
	if b.only == onlySlow {
		return t, b.slowSources(ctx, t)
	}
	for _, o := range objects() {
		if !strings.Contains(o.String(), b.only) {
			continue
		}
		s, err := b.object(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		b.addObject(t, o, s)
		sent.add(o, s)
	}
	if b.only != "" {
		sent.addTo(t)
		return t, nil
	}
	if err := b.crowd(ctx, t); err != nil {
		return nil, err
	}
	stream := object{size: 64 * mib, runs: 1, kind: "stream", way: copier.WayStream, ownOnly: true}
	s, err := b.object(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("one stream: %w", err)
	}
	sent.add(stream, s)
	if err := b.single(ctx, t); err != nil {
		return nil, fmt.Errorf("one connection: %w", err)
	}
	killed, err := b.killed(ctx)
	if err != nil {
		return nil, fmt.Errorf("kill -9: %w", err)
	}
	if err := b.slowSources(ctx, t); err != nil {
		return nil, err
	}
	sent.addTo(t)
	t.Add(killed)
	return t, nil
}

// single measures a source that serves one request at a time, and answers 503 to the others.
func (b *bench) single(ctx context.Context, t *report.Table) error {
	o := object{size: 160 * mib, runs: 1, slow: true, kind: "single", way: copier.WayRanges, ownOnly: true}
	s, err := b.object(ctx, o)
	if err != nil {
		return err
	}
	rate := float64(o.size) / median(s.ours, func(s sample) float64 { return s.Usage.Wall.Seconds() })
	t.Title(fmt.Sprintf("%s from a source that serves one request at a time, at %g MB/s", report.Size(o.size), connRate/1e6))
	t.Add(report.Row{Label: "rate, divided by that of its connection", Unit: report.Times, Figure: rate / connRate, Target: report.AtLeast(rateOfSingle)})
	return nil
}

// progress prints the start of a measurement.
func progress(what any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), what)
}

// object measures the programs in turn: other load on the machine then affects all of them.
func (b *bench) object(ctx context.Context, o object) (s samples, err error) {
	progress(o)
	for range o.runs {
		for _, m := range []struct {
			wanted  bool
			samples *[]sample
			run     func(context.Context, object, task) (sample, error)
		}{
			{true, &s.ours, b.withCopier},
			{o.andSecond, &s.second, b.secondCopy},
			{b.rclone != "" && !o.ownOnly, &s.rclone, b.withRclone},
			{!o.slow && !o.ownOnly, &s.limit, b.toLimit},
		} {
			if !m.wanted {
				continue
			}
			one, err := b.once(ctx, o, m.run)
			if err != nil {
				return s, err
			}
			*m.samples = append(*m.samples, one)
		}
	}
	return s, nil
}

// once copies a new object, checks the copy, and deletes it.
func (b *bench) once(ctx context.Context, o object, run func(context.Context, object, task) (sample, error)) (sample, error) {
	t := b.task
	t.Copies = []job{b.job(o)}
	s, err := run(ctx, o, t)
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
	source := b.sources.plain
	if o.slow {
		source = b.sources.slow
	}
	return job{URL: fmt.Sprintf("%s/%s/%d/%s", source, o.kind, o.size, name), Key: name, Size: o.size}
}

// remove deletes a copy. A copy of another size is an error.
func (b *bench) remove(ctx context.Context, c job) error {
	stored, err := b.bucket.Head(ctx, c.Key)
	if err == nil && stored.Size != c.Size {
		err = fmt.Errorf("%s has %d bytes instead of %d", c.Key, stored.Size, c.Size)
	}
	return errors.Join(err, b.bucket.Delete(ctx, c.Key))
}
