package process_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// TestMain makes the test binary a program to run, if a test asks for it.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		_ = process.UntilOrphaned(func() error { return http.ListenAndServe(os.Args[2], http.NotFoundHandler()) })
		os.Exit(0)
	}
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "work":
			work()
			os.Exit(0)
		case "fail":
			fmt.Fprintln(os.Stderr, "made of cheese")
			os.Exit(1)
		case "hang":
			<-time.After(time.Minute)
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// work takes 20 ms of CPU time and 64 MiB of memory.
func work() {
	b := make([]byte, 64<<20)
	for start, i := time.Now(), 0; time.Since(start) < 20*time.Millisecond || i < len(b); i += 1 << 10 {
		b[i%len(b)]++
	}
	fmt.Println("done")
}

func self(t *testing.T, args ...string) process.Program {
	t.Helper()
	p, err := process.Self(args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestServer(t *testing.T) {
	address, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	s, err := process.StartSelf(t.Context(), address, "serve", address)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // Keeps the connection open until then
	if n, err := s.Resident(); n < 1<<20 || err != nil {
		t.Errorf("resident memory is %d bytes (%v)", n, err)
	}
	if n, err := process.Peak(os.Getpid()); n < 1<<20 || err != nil {
		t.Errorf("the peak of the resident memory is %d bytes (%v)", n, err)
	}
	if n, err := process.Peak(1 << 30); err == nil {
		t.Errorf("the peak of a process that does not exist is %d bytes", n)
	}
	if n, err := s.Sockets(); n < 2 || err != nil { // The listener's and the connection's
		t.Errorf("%d sockets (%v)", n, err)
	}
	for range 2 {
		s.Stop()
	}
	if conn, err := net.Dial("tcp", s.Address); err == nil {
		conn.Close()
		t.Error("the server accepts connections after Stop")
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	address, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := process.Start(t.Context(), self(t, "fail"), address); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := process.Start(ctx, self(t, "hang"), address); err == nil || !strings.Contains(err.Error(), "accepts no connections") {
		t.Errorf("error is %v", err)
	}
	if _, err := process.Start(t.Context(), process.Program{Path: "/does/not/exist"}, address); err == nil {
		t.Error("a program that does not exist starts")
	}
}

func TestRun(t *testing.T) {
	out, u, err := process.Run(t.Context(), self(t, "work"))
	if err != nil || string(out) != "done\n" {
		t.Fatalf("it writes %q (%v)", out, err)
	}
	if u.Wall < 20*time.Millisecond || u.CPU < 10*time.Millisecond || u.Memory < 64<<20 {
		t.Errorf("usage is %+v", u)
	}
	if _, _, err := process.Run(t.Context(), self(t, "fail")); err == nil || !strings.Contains(err.Error(), "made of cheese") {
		t.Errorf("error is %v", err)
	}
}

func TestRunAndKill(t *testing.T) {
	asked := 0
	err := process.RunAndKill(t.Context(), self(t, "hang"), func() (bool, error) {
		asked++
		return asked == 3, nil
	})
	if err != nil || asked != 3 {
		t.Errorf("killed after %d calls (%v)", asked, err)
	}
	err = process.RunAndKill(t.Context(), self(t, "fail"), func() (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "ended before it was killed") {
		t.Errorf("error is %v", err)
	}
}

// TestUsed compares both readings of this process's CPU time, before and after some work.
func TestUsed(t *testing.T) {
	read := func() (stat, rusage time.Duration) {
		stat, err := process.Used(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if rusage, err = process.CPU(); err != nil {
			t.Fatal(err)
		}
		return stat, rusage
	}
	beforeStat, beforeRusage := read()
	sum := 0
	for afterRusage := beforeRusage; afterRusage-beforeRusage < 200*time.Millisecond; _, afterRusage = read() {
		for i := range 1_000_000 {
			sum += i
		}
	}
	afterStat, afterRusage := read()
	difference := (afterStat - beforeStat) - (afterRusage - beforeRusage)
	if difference.Abs() > 50*time.Millisecond {
		t.Errorf("the readings differ by %s after %s (%d)", difference, afterRusage-beforeRusage, sum)
	}
	if _, err := process.Used(-1); err == nil {
		t.Error("a process that does not exist has a CPU time")
	}
}
