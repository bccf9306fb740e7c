package stack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/origin"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/sqs"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// part is a supervised process, or a server inside this process.
type part interface {
	Name() string
	PID() int // 0 unless it runs
	Start(context.Context) error
	WaitReady(context.Context) error
	Stop()
	Kill() error
	Signal(os.Signal) error
	Close()
}

var (
	_ part = (*supervise.Process)(nil)
	_ part = (*embedded)(nil)
)

// errEmbedded means that a part is not a process.
var errEmbedded = errors.New("runs inside the supervisor and can't be signalled")

const shutdownGrace = 2 * time.Second

// embedded is a server inside this process. It serves when Start returns.
type embedded struct {
	name  string
	begin func() (end func() error, err error)
	fail  func(error) // Receives the error of end

	mu  sync.Mutex
	end func() error // nil while it does not run
}

func (e *embedded) Name() string { return e.name }

func (e *embedded) PID() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.end == nil {
		return 0
	}
	return os.Getpid()
}

func (e *embedded) Start(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.end != nil {
		return nil
	}
	end, err := e.begin()
	if err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	e.end = end
	return nil
}

func (e *embedded) WaitReady(context.Context) error {
	if e.PID() == 0 {
		return fmt.Errorf("%s: %w", e.name, supervise.ErrStopped)
	}
	return nil
}

func (e *embedded) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.end == nil {
		return
	}
	if err := e.end(); err != nil {
		e.fail(fmt.Errorf("%s: %w", e.name, err))
	}
	e.end = nil
}

// Kill restarts the server.
func (e *embedded) Kill() error {
	e.Stop()
	return e.Start(context.Background())
}

func (e *embedded) Signal(os.Signal) error { return fmt.Errorf("%s %w", e.name, errEmbedded) }

func (e *embedded) Close() { e.Stop() }

// serveHTTP starts a server on a port of the loopback interface.
func serveHTTP(port int, h http.Handler) (end func() error, err error) {
	l, err := listen(port)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // A large download is still running
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, nil
}

func (s *Stack) newSQS() *embedded {
	return &embedded{name: "sqs", fail: s.report, begin: func() (func() error, error) {
		queue, err := sqs.New(sqs.Options{
			Region: Regions()[0], Path: s.state.join("sqs.json"), OnError: s.report, OnSend: s.opts.OnMessage,
		})
		if err != nil {
			return nil, err
		}
		s.queue.Store(queue)
		end, err := serveHTTP(s.plan.sqs, queue)
		if err != nil {
			return nil, errors.Join(err, queue.Close())
		}
		// Close the queue first. That ends the long polls, which the server would wait for.
		return func() error { return errors.Join(queue.Close(), end()) }, nil
	}}
}

func newOrigin(port int, dir string, fail func(error)) *embedded {
	return &embedded{name: "origin", fail: fail, begin: func() (func() error, error) {
		if err := origin.Samples(dir); err != nil {
			return nil, err
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		end, err := serveHTTP(port, origin.Handler(root))
		if err != nil {
			return nil, errors.Join(err, root.Close())
		}
		return func() error { return errors.Join(end(), root.Close()) }, nil
	}}
}

// newMiniredis replaces redis-server where it is not installed. It keeps nothing between runs, as a
// cache may.
func newMiniredis(port int, fail func(error)) *embedded {
	return &embedded{name: "redis", fail: fail, begin: func() (func() error, error) {
		m := miniredis.NewMiniRedis()
		if err := m.StartAddr(address(port)); err != nil {
			return nil, err
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			passTime(m, stop)
		}()
		return func() error {
			close(stop)
			<-stopped
			m.Close()
			return nil
		}, nil
	}}
}

// passTime makes keys expire: miniredis has no clock.
func passTime(m *miniredis.Miniredis, stop <-chan struct{}) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			m.FastForward(now.Sub(last))
			last = now
		}
	}
}
