package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// roleVariable makes the test binary a child of a test instead.
const roleVariable = "SUPERVISE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "steady":
		serve()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		serve()
	case "broken":
		fmt.Println("cannot find the flux capacitor")
		os.Exit(3)
	case "supervisor":
		supervisor()
	}
}

// serve listens on the port that the test chose, which is how the test knows that it is ready, and lives on.
func serve() {
	_ = os.Remove(os.Getenv("SOCKET")) // of a process that was killed
	l, err := net.Listen("unix", os.Getenv("SOCKET"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		if c, err := l.Accept(); err == nil {
			c.Close()
		}
	}
}

// supervisor runs a steady child, prints its id and waits for its own end.
func supervisor() {
	p := supervise.New(spec("steady", os.Getenv("DIR")), supervise.Options{})
	if err := p.Start(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	select {}
}

func spec(role, dir string) supervise.Spec {
	socket := filepath.Join(dir, role)
	return supervise.Spec{
		Name: role, Path: os.Args[0], Log: filepath.Join(dir, role+".log"), Grace: 500 * time.Millisecond,
		Env: []string{roleVariable + "=" + role, "SOCKET=" + socket},
		Ready: func(ctx context.Context) error {
			c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
			if err != nil {
				return err
			}
			return c.Close()
		},
	}
}

type restart struct {
	status string
	pid    int
}

func newProcess(t *testing.T, role string) (*supervise.Process, <-chan restart, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	restarts := make(chan restart, 10)
	p := supervise.New(spec(role, shortDir(t)), supervise.Options{
		OnRestart: func(_, status string, pid int) { restarts <- restart{status, pid} },
	})
	t.Cleanup(p.Close)
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return p, restarts, ctx
}

// shortDir is a temporary folder whose name leaves room for that of a socket, which may have 104 bytes on macOS.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sv") //nolint:usetesting // t.TempDir has the test's name in it, which takes that room
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func nextRestart(ctx context.Context, t *testing.T, restarts <-chan restart) restart {
	t.Helper()
	select {
	case r := <-restarts:
		return r
	case <-ctx.Done():
		t.Fatal("the process was not started again")
		return restart{}
	}
}

// exited is true also for a process that is dead and not yet collected by its new parent.
func exited(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

func TestKilledProcessIsStartedAgain(t *testing.T) {
	p, restarts, ctx := newProcess(t, "steady")
	for range 3 {
		before := p.PID()
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if !exited(before) {
			t.Errorf("process %d lives after Kill", before)
		}
		r := nextRestart(ctx, t, restarts)
		if r.status != "signal: killed" || r.pid == before {
			t.Errorf("restart says %q, process %d after %d", r.status, r.pid, before)
		}
		if err := p.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		if p.PID() != r.pid {
			t.Errorf("process %d runs, want %d", p.PID(), r.pid)
		}
	}
}

func TestStopAndResume(t *testing.T) {
	for _, role := range []string{"steady", "stubborn"} {
		t.Run(role, func(t *testing.T) {
			p, restarts, ctx := newProcess(t, role)
			before := p.PID()
			p.Stop()
			if !exited(before) {
				t.Fatal("the process lives after Stop")
			}
			if p.PID() != 0 {
				t.Errorf("process %d runs after Stop", p.PID())
			}
			for name, err := range map[string]error{
				"Signal": p.Signal(syscall.SIGHUP), "Kill": p.Kill(), "WaitReady": p.WaitReady(ctx),
			} {
				if !errors.Is(err, supervise.ErrStopped) {
					t.Errorf("%s on a stopped process is %v, want ErrStopped", name, err)
				}
			}
			if err := p.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if p.PID() == 0 || p.PID() == before {
				t.Errorf("process %d runs after the second Start", p.PID())
			}
			select {
			case r := <-restarts:
				t.Errorf("a start by hand was told as a restart: %v", r)
			default:
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	dir := shortDir(t)
	never := spec("steady", dir)
	never.Ready = func(context.Context) error { return errors.New("still warming up") }
	missing := spec("steady", dir)
	missing.Path = filepath.Join(dir, "missing")
	tests := []struct {
		name string
		spec supervise.Spec
		want []string
	}{
		{
			"the process ends", spec("broken", dir),
			[]string{"broken ended before it was ready: exit status 3", "flux capacitor"},
		},
		{"the process is never ready", never, []string{"steady is not ready", "still warming up"}},
		{"there is no such program", missing, []string{"no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			p := supervise.New(tt.spec, supervise.Options{
				OnRestart: func(string, string, int) { t.Error("it was started again") },
			})
			defer p.Close()
			err := p.Start(ctx)
			if err == nil {
				t.Fatal("Start succeeded")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error is %q, want %q in it", err, want)
				}
			}
			if p.PID() != 0 {
				t.Errorf("process %d is left", p.PID())
			}
		})
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	p, _, _ := newProcess(t, "stubborn")
	pid := p.PID()
	if exited(pid) {
		t.Fatal("the process is not there to begin with")
	}
	p.Close()
	p.Close()
	if !exited(pid) {
		t.Errorf("process %d is left", pid)
	}
}

func TestRun(t *testing.T) {
	dir := shortDir(t)
	err := supervise.Run(t.Context(), spec("broken", dir))
	if err == nil || !strings.Contains(err.Error(), "exit status 3") ||
		!strings.Contains(err.Error(), "flux capacitor") {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := supervise.Run(ctx, spec("steady", dir)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want that of the context", err)
	}
}
