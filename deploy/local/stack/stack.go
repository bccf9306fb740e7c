package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/sqs"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// ErrUnknown means that no part of the stack has the given name.
var ErrUnknown = errors.New("no such part")

// Stack is a running system. It is safe for concurrent use.
type Stack struct {
	opts      Options
	state     stateDir
	plan      *plan
	binary    string // Cloud-mirror
	redisKind string
	routes    map[string]string          // Addresses of Options.Route by service
	queue     atomic.Pointer[sqs.Server] // The newest

	services []part // Started first, stopped last
	product  []part

	logMu  sync.Mutex
	closed sync.Once
	err    error // Of Close
}

// Start starts all parts. The context bounds the start only. The first start builds third-party
// programs, which can take minutes.
func Start(ctx context.Context, o Options) (*Stack, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	state, err := openState(o.StateDir)
	if err != nil {
		return nil, err
	}
	plan, err := allocate(o)
	if err != nil {
		return nil, errors.Join(err, state.release())
	}
	s := &Stack{opts: o, state: state, plan: plan}
	if err := s.start(ctx); err != nil {
		if closing := s.Close(); closing != nil {
			s.report(closing)
		}
		return nil, err
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	existing := s.opts.Temporal
	if existing != nil {
		if err := existing.reach(ctx); err != nil {
			return err
		}
		s.say("using the existing Temporal at %s, namespace %s", existing.Address, existing.Namespace)
	}
	t := tools.Tools{Root: s.opts.Root, Log: s.opts.Log, Terminal: s.opts.Terminal}
	var temporal string
	var err error
	if existing == nil {
		if temporal, err = t.Temporal(ctx); err != nil {
			return err
		}
	}
	gateway, err := t.Pinned(ctx, tools.VersityGW())
	if err != nil {
		return err
	}
	var minio string
	if s.opts.ServicesOnly {
		if minio, err = t.Pinned(ctx, tools.MinIO()); err != nil {
			return err
		}
	}
	s.binary = s.opts.Binary
	if s.binary == "" && !s.opts.ServicesOnly {
		if s.binary, err = t.CloudMirror(ctx, s.opts.Race); err != nil {
			return err
		}
	}
	if err := s.addServices(temporal, gateway, minio); err != nil {
		return err
	}
	if err := s.startAll(ctx, "services", s.services); err != nil || s.opts.ServicesOnly {
		return err
	}
	return s.startProduct(ctx)
}

func (s *Stack) addServices(temporal, gateway, minio string) error {
	if s.opts.Temporal == nil {
		s.services = append(s.services, s.process(s.temporalSpec(temporal)))
	}
	redis, err := s.newRedis()
	if err != nil {
		return err
	}
	s.services = append(s.services, redis)
	for i, region := range Regions() {
		spec, err := s.s3Spec(gateway, region, s.plan.s3[i])
		if err != nil {
			return err
		}
		s.services = append(s.services, s.process(spec))
	}
	s.services = append(s.services, s.newSQS())
	if !s.opts.ServicesOnly {
		s.services = append(s.services, newOrigin(s.plan.origin, s.OriginDir(), s.report))
		return nil
	}
	spec, err := s.minioSpec(minio)
	if err != nil {
		return err
	}
	s.services = append(s.services, s.process(spec))
	return nil
}

func (s *Stack) process(spec supervise.Spec) part {
	return supervise.New(spec, supervise.Options{OnRestart: func(name, how string, pid int) {
		s.say("%s ended (%s); restarted as process %d", name, how, pid)
	}})
}

// Close stops all parts. cloud-mirror comes first, so that it can finish its work while the
// services run. Close is idempotent.
func (s *Stack) Close() error {
	s.closed.Do(func() {
		closeAll(s.product)
		closeAll(s.services)
		s.plan.release()
		s.err = s.state.release()
	})
	return s.err
}

func closeAll(parts []part) {
	var wait sync.WaitGroup
	for _, p := range parts {
		wait.Go(p.Close)
	}
	wait.Wait()
}

// KillAll sends SIGKILL to every process and returns at once, for a user who can't wait for Close.
// This process must end next: the killed processes are being restarted.
func (s *Stack) KillAll() {
	for _, name := range s.Names() {
		if p, err := s.part(name); err == nil && p.PID() != os.Getpid() {
			_ = p.Signal(os.Kill)
		}
	}
}

// Names returns the names of all parts in the order of their start:
//
//   - temporal, unless it is an existing one
//   - redis, s3-REGION for each region, sqs
//   - then origin, frontend-1 and so on, worker-REGION for each region, worker-REGION-2 and so on
//   - or, with ServicesOnly, minio
func (s *Stack) Names() []string {
	var names []string
	for _, p := range s.parts() {
		names = append(names, p.Name())
	}
	return names
}

func (s *Stack) parts() []part {
	return append(append([]part(nil), s.services...), s.product...)
}

func (s *Stack) part(name string) (part, error) {
	for _, p := range s.parts() {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, ErrUnknown)
}

// PID returns the process id of a part, or 0 while it does not run. A part inside this process has
// the id of this process.
func (s *Stack) PID(name string) int {
	if p, err := s.part(name); err == nil {
		return p.PID()
	}
	return 0
}

// Kill sends SIGKILL to a part and returns when the process has ended. The part is then restarted;
// see WaitReady.
func (s *Stack) Kill(name string) error {
	return s.with(name, func(p part) error { return p.Kill() })
}

// Stop ends a part with SIGTERM, or SIGKILL after 10 s, and returns when it has ended. The part
// stays stopped until Resume.
func (s *Stack) Stop(name string) error {
	return s.with(name, func(p part) error { p.Stop(); return nil })
}

// Resume starts a stopped part and returns when it is ready.
func (s *Stack) Resume(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	return s.with(name, func(p part) error { return p.Start(ctx) })
}

// Signal sends a signal to the process of a part.
func (s *Stack) Signal(name string, sig os.Signal) error {
	return s.with(name, func(p part) error { return p.Signal(sig) })
}

// WaitReady returns when a part is ready. After Kill that is its next process.
func (s *Stack) WaitReady(ctx context.Context, name string) error {
	return s.with(name, func(p part) error { return p.WaitReady(ctx) })
}

func (s *Stack) with(name string, do func(part) error) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	return do(p)
}

func (s *Stack) say(format string, args ...any) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	fmt.Fprintf(s.opts.Log, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// report logs an error that no caller can return.
func (s *Stack) report(err error) { s.say("%v", err) }

func (s *Stack) logPath(name string) string { return filepath.Join(s.state.logs(), name+".log") }
