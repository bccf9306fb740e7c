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

// roleVariable turns the test binary into a child process of a test.
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

// serve listens on the socket that the test chose, and never returns. The test takes the socket as
// the sign that the process is ready.
func serve() {
	_ = os.Remove(os.Getenv("SOCKET")) // Left by a killed process
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

// supervisor runs a steady child, prints its process id and waits to be killed.
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

// shortDir returns a temporary folder with a short name, because macOS limits the path of a socket
// to 104 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sv") //nolint:usetesting // The path of t.TempDir holds the test's name
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
		t.Fatal("the process was not restarted")
		return restart{}
	}
}

// exited reports whether a process has exited, even if its new parent has not collected it yet.
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

func TestKilledProcessIsRestarted(t *testing.T) {
	p, restarts, ctx := newProcess(t, "steady")
	for range 3 {
		before := p.PID()
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if !exited(before) {
			t.Errorf("process %d runs after Kill", before)
		}
		r := nextRestart(ctx, t, restarts)
		if r.status != "signal: killed" || r.pid == before {
			t.Errorf("restart reports %q and process %d after process %d", r.status, r.pid, before)
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
				t.Fatal("the process runs after Stop")
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
				t.Errorf("Start was reported as a restart: %v", r)
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
			"the process exits", spec("broken", dir),
			[]string{"broken failed before it was ready: exit status 3", "flux capacitor"},
		},
		{"the process is never ready", never, []string{"steady is not ready", "still warming up"}},
		{"the program does not exist", missing, []string{"no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			p := supervise.New(tt.spec, supervise.Options{
				OnRestart: func(string, string, int) { t.Error("the process was restarted") },
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
				t.Errorf("process %d still runs", p.PID())
			}
		})
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	p, _, _ := newProcess(t, "stubborn")
	pid := p.PID()
	if exited(pid) {
		t.Fatal("the process exited before Close")
	}
	p.Close()
	p.Close()
	if !exited(pid) {
		t.Errorf("process %d still runs", pid)
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
		t.Errorf("error is %v, want the error of the context", err)
	}
}
