package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is the time and the memory of a process from its start to its end, as wait4 reports them.
type Usage struct {
	Wall, CPU time.Duration
	// Memory is the peak of its resident memory, in bytes. On Linux the peak of the parent at the
	// start counts too, so the parent must stay small.
	Memory int64
}

// Run runs p to its end and returns its standard output. The error of a failed process shows its
// standard error.
func Run(ctx context.Context, p Program) (stdout []byte, u Usage, err error) {
	cmd := p.command(ctx)
	start := time.Now()
	stdout, err = cmd.Output()
	u.Wall = time.Since(start)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, u, fmt.Errorf("%s: %w", p.name(), err)
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil, u, errors.New("this system does not report the usage of a process")
	}
	u.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	u.Memory = used.Maxrss << 10
	return stdout, u, nil
}

// RunAndKill runs p and kills it with SIGKILL as soon as the condition holds. A process that ends
// by itself is an error.
func RunAndKill(ctx context.Context, p Program, condition func() (bool, error)) error {
	cmd := p.command(ctx)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name(), err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return errors.Join(fmt.Errorf("%s ended before it was killed", p.name()), err)
		case <-tick.C:
		}
		holds, err := condition()
		if err == nil && !holds {
			continue
		}
		err = errors.Join(err, cmd.Process.Kill())
		if <-ended == nil {
			err = errors.Join(err, fmt.Errorf("%s ended before it was killed", p.name()))
		}
		return err
	}
}

// CPU returns the CPU time that this process has used.
func CPU() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, err
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}

// Resident returns the resident memory of the server, in bytes.
func (s *Server) Resident() (int64, error) { return memory(s.cmd.Process.Pid, "VmRSS") }

// Peak returns the peak of a process's resident memory since its start, in bytes.
func Peak(pid int) (int64, error) { return memory(pid, "VmHWM") }

// memory reads a field of /proc/PID/status that is in kB, and returns it in bytes.
func memory(pid int, field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(field + `:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("the status of the process has no %s", field)
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10, err
}

// Sockets returns how many sockets the server has open.
func (s *Server) Sockets() (n int, err error) {
	dir := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if to, err := os.Readlink(dir + "/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n, err
}
