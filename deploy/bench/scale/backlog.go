package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const (
	// held is how long the source of a backlog holds a request.
	held = 5 * time.Second
	// besideEvery is the time between two cold requests beside a backlog.
	besideEvery = 500 * time.Millisecond
	senders     = 32
	sendTimeout = 10 * time.Second
)

// backlog measures cold requests of a client beside copy requests of lists. Each size has a system
// of its own, because a backlog lasts.
func backlog(ctx context.Context, s settings, sizes []int) (r result, err error) {
	r.columns = columnsOf(sizes)
	for i, n := range sizes {
		say("a backlog of %s", r.columns[i].label)
		if err := r.addBacklog(ctx, s, n); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *result) addBacklog(ctx context.Context, s settings, n int) (err error) {
	sys, err := startSystem(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	if _, err := sys.copies(ctx, 2*coldClients); err != nil { // Opens connections
		return err
	}
	if err := sys.frozen(func() error { return sys.send(ctx, n) }); err != nil {
		return err
	}
	group, name := sys.group(), config.Default().SQS.Queue
	sent := len(sys.stack.Messages(name))
	before, err := group.Read()
	if err != nil {
		return err
	}
	samples := sys.beside(ctx, s.window)
	c, err := group.Since(before)
	if err != nil {
		return err
	}
	left := len(sys.stack.Messages(name))
	tasks, err := sys.tasks(ctx)
	if err != nil {
		return err
	}
	taken := float64(sent + len(samples.Took) + samples.Failures() - left)
	r.add("cold requests", count, free, 0, float64(len(samples.Took)+samples.Failures()))
	r.add("cold requests without a copy", count, free, 1, float64(samples.Failures()))
	r.add("latency, p50", report.Milliseconds, linear, 100, samples.Quantile(.5))
	r.add("latency, p99", report.Milliseconds, linear, 100, samples.Quantile(.99))
	r.add("taken from the queue", report.PerSecond, free, 0, taken/c.Wall.Seconds())
	r.add("left in the queue", count, free, 1, float64(left))
	r.add("tasks in Temporal's queues", count, free, 1, tasks)
	r.add("copies of the backlog", report.PerSecond, free, 0, float64(sys.copied.Load())/c.Wall.Seconds())
	for _, name := range processes() {
		r.add(name+", CPU", percent, free, .01, c.CPU[name].Seconds()/c.Wall.Seconds())
	}
	r.add("Temporal, CPU per message taken", report.Milliseconds, perUnit, 1, c.CPU[temporal].Seconds()*1000/max(1, taken))
	r.addProcesses(c)
	r.notes = append(r.notes, fmt.Sprintf("%s messages: cold requests %s", thousands(n), samples))
	return ctx.Err()
}

// beside requests a new object every half second.
func (s *system) beside(ctx context.Context, window time.Duration) load.Samples {
	var r load.Recorder
	n := int(window / besideEvery)
	load.Schedule{Every: besideEvery, Number: n, Workers: n}.Run(ctx, func(_ int, due time.Time) { s.request(ctx, &r, due) })
	return r.Samples()
}

// frozen freezes all workers while f runs.
func (s *system) frozen(f func() error) (err error) {
	for _, region := range stack.Regions() {
		if err := s.stack.Signal(stack.WorkerName(region), syscall.SIGSTOP); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stack.Signal(stack.WorkerName(region), syscall.SIGCONT)) }()
	}
	return f()
}

// send sends copy requests for objects of the slow source, at the priority of lists.
func (s *system) send(ctx context.Context, n int) error {
	cfg := aws.Config{Credentials: credentials.NewStaticCredentialsProvider(stack.AccessKey, stack.SecretKey, "")}
	q := queue.Open(cfg, client.Region, s.stack.SQSEndpoint(), config.Default().SQS.Queue, sendTimeout)
	// Another name makes it another host than that of the client's objects.
	root := strings.Replace(s.slow.URL, "127.0.0.1", "localhost", 1) + slowPath
	return load.AtOnce(n, senders, func(i int) error {
		return q.Send(ctx, queue.Request{
			Pool: storage.PoolID("s3", client.Region), URL: root + strconv.Itoa(i), Action: queue.Put, Priority: queue.Low,
		})
	})
}

// tasks returns the tasks of the pool that wait in Temporal, as a bridge has measured them last.
func (s *system) tasks(ctx context.Context) (float64, error) {
	n, ok, err := client.Gauge(ctx, s.stack.AdminURL(stack.WorkerName(client.Region)), "cloud_mirror_backlog_tasks", storage.PoolID("s3", client.Region))
	if err == nil && !ok {
		n = math.NaN()
	}
	return n, err
}
