// Package supervise keeps child processes running: it starts one, waits until it is ready, starts it again when it
// dies, and stops it for good.
//
// Guarantees:
//   - A child that ends before it was ready for the first time is an error with the last lines of its log, not a loop.
//   - After that a child that dies, however often and for whatever reason, is started again, after 100 ms at first and
//     twice as long each time up to 5 s; a life of 10 s makes it 100 ms again.
//   - A child runs in a process group of its own, so that a Ctrl-C in the terminal reaches the supervisor alone.
//   - After Close no process is left. On Linux none is left even if the supervisor itself is killed with SIGKILL.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/jonboulle/clockwork"
)

const (
	defaultGrace  = 10 * time.Second
	probeInterval = 25 * time.Millisecond
	probeTimeout  = 2 * time.Second
)

// ErrStopped is the answer to a signal for a process that does not run at the moment.
var ErrStopped = errors.New("not running")

// Options are what the supervisor of a process needs besides the Spec.
type Options struct {
	// OnRestart is told, after the fact, how a process ended and the id of the one that replaced it.
	OnRestart func(name, status string, pid int)
	// Clock decides the delay before a restart; the wall clock if nil.
	Clock clockwork.Clock
}

// Process is one supervised child. It is safe for concurrent use.
type Process struct {
	spec Spec
	opts Options
	done chan struct{} // closed when the supervising goroutine has ended

	mu          sync.Mutex
	wanted      bool // it should run
	starting    bool // not ready yet since Start: an end is a failure
	closed      bool
	ready       bool
	running     *exec.Cmd // nil while there is no process
	incarnation int       // counts processes, to tell one from the next
	lastExit    string    // the last process ended
	failure     error     // of Start
	probeErr    error     // what Ready said last
	logStart    int64     // where the newest process's log begins
	changed     chan struct{}
}

// New returns a process that does not run yet. Close must be called in the end.
func New(spec Spec, opts Options) *Process {
	if spec.Grace == 0 {
		spec.Grace = defaultGrace
	}
	if opts.Clock == nil {
		opts.Clock = clockwork.NewRealClock()
	}
	if opts.OnRestart == nil {
		opts.OnRestart = func(string, string, int) {}
	}
	p := &Process{spec: spec, opts: opts, done: make(chan struct{}), changed: make(chan struct{})}
	go p.supervise()
	return p
}

// Name is the Spec's.
func (p *Process) Name() string { return p.spec.Name }

// PID is the id of the process that runs at the moment, 0 if none does.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return 0
	}
	return p.running.Process.Pid
}

// Start runs the process and returns when it is ready. If it ends before, or is not ready when the context is done, it
// is stopped and the error shows the end of its log. On a process that runs already it only waits.
func (p *Process) Start(ctx context.Context) error {
	started := false
	p.update(func() {
		if !p.wanted {
			p.wanted, p.starting, p.failure = true, true, nil
			started = true
		}
	})
	err := p.WaitReady(ctx)
	if err != nil && started {
		p.Stop()
	}
	return err
}

// WaitReady returns when the process is ready, be it the present one or the one that will replace it. It is ErrStopped
// if there will be none.
func (p *Process) WaitReady(ctx context.Context) error {
	err := p.await(ctx, func() (bool, error) {
		if p.failure == nil && !p.wanted {
			return false, fmt.Errorf("%s: %w", p.spec.Name, ErrStopped)
		}
		return p.ready, p.failure
	})
	if err == nil || ctx.Err() == nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	reason := "nothing"
	if p.probeErr != nil {
		// Its text alone: that a probe timed out must not look as if the caller's context had.
		reason = p.probeErr.Error()
	}
	return fmt.Errorf("%s is not ready: %w (it said: %s)%s", p.spec.Name, err, reason, tail(p.spec.Log, p.logStart))
}

// Stop ends the process, with SIGTERM and, after the Spec's Grace, with SIGKILL. It stays stopped until Start.
func (p *Process) Stop() {
	p.update(func() { p.wanted = false })
	if p.Signal(syscall.SIGTERM) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.spec.Grace)
	defer cancel()
	if p.awaitExit(ctx) != nil {
		_ = p.Kill() // fails only if it has ended since
	}
}

// Kill sends SIGKILL to the process and its group and returns when it is gone. It is then started again, unless it was
// stopped.
func (p *Process) Kill() error {
	p.mu.Lock()
	cmd, incarnation := p.running, p.incarnation
	p.mu.Unlock()
	if cmd == nil {
		return fmt.Errorf("%s: %w", p.spec.Name, ErrStopped)
	}
	// The group first: with its leader gone, the rest of it would be found no more.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Process.Kill()
	return p.await(context.Background(), func() (bool, error) {
		return p.running == nil || p.incarnation != incarnation, nil
	})
}

// Signal sends a signal to the process.
func (p *Process) Signal(sig os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return fmt.Errorf("%s: %w", p.spec.Name, ErrStopped)
	}
	return p.running.Process.Signal(sig)
}

// Close stops the process and its supervision. It is idempotent.
func (p *Process) Close() {
	p.Stop()
	p.update(func() { p.closed = true })
	<-p.done
}

// supervise runs one process after the other. It stays on one thread, because the signal that Linux sends to a child
// when its parent dies is sent when the thread dies that made the child.
func (p *Process) supervise() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	var pause backoff
	for p.awaitWanted() {
		start := p.opts.Clock.Now()
		p.recordExit(p.runOnce())
		p.sleep(pause.next(p.opts.Clock.Since(start)))
	}
}

// runOnce is one process from its start to its end, and says how it ended.
func (p *Process) runOnce() string {
	lastExit, restarted, err := p.spawn()
	if err != nil {
		return err.Error()
	}
	cmd := p.running // changed by this goroutine only
	if restarted {
		p.opts.OnRestart(p.spec.Name, lastExit, cmd.Process.Pid)
	}
	_ = cmd.Wait()                                      // the state below says it better
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind
	return cmd.ProcessState.String()
}

// spawn makes the process, with the state locked so that a Stop comes either before or after. It says how the one
// before ended, and whether this one replaces it.
func (p *Process) spawn() (lastExit string, restarted bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wanted || p.closed {
		return "", false, ErrStopped
	}
	cmd, log, err := newCommand(p.spec)
	if err != nil {
		return "", false, err
	}
	defer log.Close()
	if end, err := log.Seek(0, io.SeekEnd); err == nil {
		p.logStart = end
	}
	if err := cmd.Start(); err != nil {
		return "", false, err
	}
	p.running = cmd
	p.incarnation++
	go p.probe(p.incarnation)
	p.notify()
	return p.lastExit, !p.starting, nil
}

func (p *Process) recordExit(status string) {
	p.update(func() {
		p.running, p.ready, p.lastExit = nil, false, status
		if p.starting && p.wanted {
			p.wanted = false
			p.failure = fmt.Errorf("%s ended before it was ready: %s%s",
				p.spec.Name, status, tail(p.spec.Log, p.logStart))
		}
	})
}

// probe asks one process again and again whether it is ready.
func (p *Process) probe(incarnation int) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		err := p.probeOnce()
		stop := false
		p.update(func() {
			if p.incarnation != incarnation || p.running == nil {
				stop = true
				return
			}
			p.probeErr = err
			if err == nil {
				p.ready, p.starting, stop = true, false, true
			}
		})
		if stop {
			return
		}
		<-tick.C
	}
}

func (p *Process) probeOnce() error {
	if p.spec.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	return p.spec.Ready(ctx)
}
