package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// Names of processes in the tables.
const (
	frontEnd     = "front end"
	redisServer  = "redis"
	temporal     = "Temporal"
	copyWorker   = "worker and its bridge"
	otherBridge  = "another bridge"
	objectStore  = "S3"
	benchProcess = "SQS, source, clients"
)

// processes are the rows of a system in a table.
func processes() []string {
	return []string{temporal, copyWorker, otherBridge, frontEnd, redisServer, objectStore, benchProcess}
}

const (
	from        = "127.0.0.2" // The clients' address
	kept        = 64          // Idle connections of the clients
	maxWait     = 28 * time.Second
	patience    = maxWait + 2*time.Second
	settling    = time.Minute
	settleEvery = 2 * time.Second
	settled     = .5 // Processors, above which Temporal is not idle
)

// system is the local stack with a source. SQS runs inside this process.
type system struct {
	dir    string
	stack  *stack.Stack
	client *http.Client
	// source serves small objects. slow holds each request first.
	source, slow *httptest.Server
	cold         atomic.Int64 // Objects that were requested
	copied       atomic.Int64 // Requests that the slow source has answered
}

// startSystem starts a system without limits of new copies per client and host.
func startSystem(ctx context.Context, s settings) (sys *system, err error) {
	sys = &system{client: load.NewClient(from, kept, patience), source: httptest.NewServer(http.HandlerFunc(load.ServeSmall))}
	sys.slow = httptest.NewServer(http.HandlerFunc(sys.serveSlowly))
	defer func() {
		if err != nil {
			err = errors.Join(err, sys.close())
		}
	}()
	if sys.dir, err = os.MkdirTemp("", "cloud-mirror-bench-"); err != nil {
		return sys, err
	}
	root, err := stack.FindRoot(".")
	if err != nil {
		return sys, err
	}
	sys.stack, err = stack.Start(ctx, stack.Options{
		Root: root, StateDir: filepath.Join(sys.dir, "state"), Binary: s.binary, Log: os.Stderr,
		Env: []string{"CLOUD_MIRROR_FRONTEND_COLD_RATE=0", "CLOUD_MIRROR_FRONTEND_COLD_RATE_PER_HOST=0"},
	})
	return sys, err
}

func (s *system) close() (err error) {
	s.client.CloseIdleConnections()
	if s.stack != nil {
		err = s.stack.Close()
	}
	s.source.Close()
	s.slow.CloseClientConnections() // It holds requests
	s.slow.Close()
	return errors.Join(err, os.RemoveAll(s.dir))
}

// group is the processes of the system. Each worker has a bridge. Only one copies.
func (s *system) group() process.Group {
	g := process.Group{
		temporal: s.stack.PID("temporal"), redisServer: s.stack.PID("redis"), frontEnd: s.stack.PID(stack.FrontEndName(0)),
		objectStore: s.stack.PID(stack.S3Name(client.Region)), benchProcess: os.Getpid(),
	}
	for _, region := range stack.Regions() {
		if region == client.Region {
			g[copyWorker] = s.stack.PID(stack.WorkerName(region))
		} else {
			g[otherBridge] = s.stack.PID(stack.WorkerName(region))
		}
	}
	return g
}

// request requests a new object that was due at a time.
func (s *system) request(ctx context.Context, r *load.Recorder, due time.Time) {
	url := fmt.Sprintf("%s/cold/%d/object.bin", s.source.URL, s.cold.Add(1))
	target := s.stack.FrontEndURLs()[0] + client.Path(url) + "?max_wait=" + maxWait.String()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		r.Fail("invalid request")
		return
	}
	r.Request(s.client, req, due, patience)
}

// settle waits until Temporal has finished its work after the last request, such as records of
// visibility: until its CPU no longer falls. It returns its idle CPU, in processors.
func (s *system) settle(ctx context.Context) (idle float64, err error) {
	g := process.Group{temporal: s.stack.PID("temporal")}
	last := math.Inf(1)
	for deadline := time.Now().Add(settling); time.Now().Before(deadline); {
		before, err := g.Read()
		if err != nil {
			return 0, err
		}
		if load.Wait(ctx, settleEvery); ctx.Err() != nil {
			return 0, ctx.Err()
		}
		c, err := g.Since(before)
		if err != nil {
			return 0, err
		}
		idle = c.CPU[temporal].Seconds() / c.Wall.Seconds()
		if idle < settled && idle > last*.9 {
			return idle, nil
		}
		last = idle
	}
	say("Temporal still works after %s", settling)
	return idle, nil
}

// addProcesses adds the memory of each process.
func (r *result) addProcesses(c process.Cost) {
	for _, name := range processes() {
		if name != benchProcess {
			r.add(name+", memory", report.MiB, linear, 0, float64(c.Resident[name]))
		}
	}
	r.add("processors idle", percent, free, .01, c.Idle)
}

// slowPath is the path of the objects of a backlog.
const slowPath = "/backlog/"

// serveSlowly holds each request.
func (s *system) serveSlowly(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, slowPath) {
		if load.Wait(r.Context(), held); r.Context().Err() != nil {
			return
		}
		defer s.copied.Add(1)
	}
	load.ServeSmall(w, r)
}
