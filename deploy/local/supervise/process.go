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

// ErrStopped is the error of a call that needs a running process while none runs.
var ErrStopped = errors.New("not running")

// Options configures the supervision of a process.
type Options struct {
	// OnRestart receives the last process's exit status and the new process's id after each
	// restart.
	OnRestart func(name, status string, pid int)
	// Clock decides the pause before a restart. Nil is the wall clock.
	Clock clockwork.Clock
}

// Process is a supervised child process. It is safe for concurrent use.
type Process struct {
	spec Spec
	opts Options
	done chan struct{} // Closed when supervise returns

	mu          sync.Mutex
	wanted      bool // The process should run
	starting    bool // Not ready since Start: an exit is a failure
	closed      bool
	ready       bool
	running     *exec.Cmd // nil while no process runs
	incarnation int       // Counts the processes, to tell each from the next
	lastExit    string    // Exit status of the last process
	failure     error     // Why Start failed
	probeErr    error     // The last result of Spec.Ready
	logStart    int64     // Offset in the log at which the newest process started
	changed     chan struct{}
}

// New returns a process that is not running yet. The caller must Close it.
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

// Name returns the name in the Spec.
func (p *Process) Name() string { return p.spec.Name }

// PID returns the id of the running process, or 0 if none runs.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return 0
	}
	return p.running.Process.Pid
}

// Start runs the process and returns when it is ready. Start stops a process that exits first, or
// that is not ready when the context ends. The error then holds the end of its log. If the process
// was started before, Start only waits.
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

// WaitReady returns when the process or its replacement is ready. It returns ErrStopped if the
// process has been stopped.
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
	reason := "none"
	if p.probeErr != nil {
		// Keep only the text: a wrapped time-out of the probe would look like the caller's.
		reason = p.probeErr.Error()
	}
	return fmt.Errorf("%s is not ready: %w (last readiness error: %s)%s", p.spec.Name, err, reason, tail(p.spec.Log, p.logStart))
}

// Stop sends SIGTERM to the process and, after the Spec's Grace, SIGKILL. The process stays stopped
// until the next Start.
func (p *Process) Stop() {
	p.update(func() { p.wanted = false })
	if p.Signal(syscall.SIGTERM) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.spec.Grace)
	defer cancel()
	if p.awaitExit(ctx) != nil {
		_ = p.Kill() // Fails only if the process has exited
	}
}

// Kill sends SIGKILL to the process and its group, and returns when the process has exited. The
// supervisor then restarts it, unless it was stopped.
func (p *Process) Kill() error {
	p.mu.Lock()
	cmd, incarnation := p.running, p.incarnation
	p.mu.Unlock()
	if cmd == nil {
		return fmt.Errorf("%s: %w", p.spec.Name, ErrStopped)
	}
	// Kill the group first: after its leader has exited, the group can't be found any more.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Process.Kill()
	return p.await(context.Background(), func() (bool, error) {
		return p.running == nil || p.incarnation != incarnation, nil
	})
}

// Signal sends a signal to the process. It returns ErrStopped if none runs.
func (p *Process) Signal(sig os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return fmt.Errorf("%s: %w", p.spec.Name, ErrStopped)
	}
	return p.running.Process.Signal(sig)
}

// Close stops the process and ends its supervision. It is idempotent.
func (p *Process) Close() {
	p.Stop()
	p.update(func() { p.closed = true })
	<-p.done
}

// supervise runs one process after the other. It stays on one OS thread, because the signal of
// [syscall.SysProcAttr.Pdeathsig] comes when the thread that started the child exits.
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

// runOnce runs one process from its start to its exit, and returns its exit status.
func (p *Process) runOnce() string {
	lastExit, restarted, err := p.spawn()
	if err != nil {
		return err.Error()
	}
	cmd := p.running // Only this goroutine changes it
	if restarted {
		p.opts.OnRestart(p.spec.Name, lastExit, cmd.Process.Pid)
	}
	_ = cmd.Wait()                                      // ProcessState has the result
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // The rest of its group
	return cmd.ProcessState.String()
}

// spawn starts the process. It holds p.mu, so that a Stop comes either before or after. It returns
// the exit status of the last process, and whether the new process replaces it.
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
			p.failure = fmt.Errorf("%s failed before it was ready: %s%s",
				p.spec.Name, status, tail(p.spec.Log, p.logStart))
		}
	})
}

// probe polls Spec.Ready until this incarnation of the process is ready or has exited.
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
