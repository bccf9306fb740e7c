// Package stack runs the whole of cloud-mirror on one machine: Temporal, redis, an S3 server for each of three regions,
// SQS, an origin, and the processes of cloud-mirror itself, all on the loopback interface; or, for tests, the services
// alone and MinIO.
//
// Guarantees:
//   - Ports, settings and the state folder are checked before anything is built or started, and a fault is one line
//     that names the variable to change.
//   - Start returns when everything is ready, or with the last log lines of what did not get ready and nothing left
//     running.
//   - A process that dies is started again; see package supervise. Close leaves no process behind, and on Linux neither
//     does a SIGKILL.
//   - State survives in the state folder: workflows, objects, messages, and the cache if redis-server is there.
//
// It is for development and tests: credentials are well known, and sources on loopback addresses are allowed.
package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// ErrUnknown is the answer to a name that no part of the stack has.
var ErrUnknown = errors.New("no such part")

// Stack is a running set-up. It is safe for concurrent use.
type Stack struct {
	opts      Options
	state     stateDir
	plan      *plan
	binary    string // cloud-mirror
	redisKind string

	services []part // started first, stopped last
	product  []part

	logMu  sync.Mutex
	closed sync.Once
	err    error // of Close
}

// Start brings everything up. The context bounds the start only. What may take minutes, for the first time, is the build
// of third-party programs.
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
	t := tools.Tools{Root: s.opts.Root, Log: s.opts.Log, Terminal: s.opts.Terminal}
	temporal, err := t.Temporal(ctx)
	if err != nil {
		return err
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
	s.services = append(s.services, s.process(s.temporalSpec(temporal)))
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
	s.services = append(s.services, newSQS(s.plan.sqs, s.state.join("sqs.json"), s.report))
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
		s.say("%s ended (%s); started again as process %d", name, how, pid)
	}})
}

// Close stops everything: cloud-mirror first, so that it can finish what it has begun while the services are there. It
// is idempotent.
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

// KillAll sends SIGKILL to every process without waiting for anything, for a user who can't wait for Close. This process
// must end next: what was killed is being started again.
func (s *Stack) KillAll() {
	for _, name := range s.Names() {
		if p, err := s.part(name); err == nil && p.PID() != os.Getpid() {
			_ = p.Signal(os.Kill)
		}
	}
}

// Names are those of all parts, in the order of their start: temporal, redis, s3-REGION, sqs, origin, frontend-1 and so
// on, worker-REGION; with ServicesOnly minio after sqs, and no more.
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

// PID is the process id of a part, this process's own for a part that runs inside it, and 0 while it does not run.
func (s *Stack) PID(name string) int {
	if p, err := s.part(name); err == nil {
		return p.PID()
	}
	return 0
}

// Kill sends SIGKILL to a part and returns when the process is gone. It is started again; see WaitReady.
func (s *Stack) Kill(name string) error {
	return s.with(name, func(p part) error { return p.Kill() })
}

// Stop ends a part with SIGTERM, or SIGKILL after 10 s, and returns when it is gone. It stays stopped until Resume.
func (s *Stack) Stop(name string) error {
	return s.with(name, func(p part) error { p.Stop(); return nil })
}

// Resume starts a part that was stopped and returns when it is ready.
func (s *Stack) Resume(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	return s.with(name, func(p part) error { return p.Start(ctx) })
}

// Signal sends a signal to the process of a part.
func (s *Stack) Signal(name string, sig os.Signal) error {
	return s.with(name, func(p part) error { return p.Signal(sig) })
}

// WaitReady returns when a part is ready, for example after Kill, in its next process.
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

// report is say for an error that nobody waits for.
func (s *Stack) report(err error) { s.say("%v", err) }

func (s *Stack) logPath(name string) string { return filepath.Join(s.state.logs(), name+".log") }
