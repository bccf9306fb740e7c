package process_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// TestCost lets this process work between two readings.
func TestCost(t *testing.T) {
	group := process.Group{"test": os.Getpid(), "missing": 1 << 30}
	before, err := group.Read()
	if err != nil {
		t.Fatal(err)
	}
	start, x := time.Now(), 0
	for used := cpu(t); cpu(t)-used < 200*time.Millisecond; {
		x++
	}
	c, err := group.Since(before)
	if err != nil {
		t.Fatal(err)
	}
	// Ticks are 10 ms, for user and system time each.
	if used := c.CPU["test"]; used < 170*time.Millisecond || used > 10*time.Second {
		t.Errorf("%v of CPU time were used for 200 ms of work (%d)", used, x)
	}
	if took := time.Since(start); c.Wall <= 0 || c.Wall > took+time.Second {
		t.Errorf("the wall time is %v of %v", c.Wall, took)
	}
	if c.Resident["test"] < 1<<20 {
		t.Errorf("the resident memory is %d bytes", c.Resident["test"])
	}
	if c.Idle < 0 || c.Idle > 1 {
		t.Errorf("the idle part is %g", c.Idle)
	}
	if used, known := c.CPU["missing"]; known {
		t.Errorf("a process that does not exist used %v", used)
	}
}

func cpu(t *testing.T) time.Duration {
	t.Helper()
	used, err := process.CPU()
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// TestCostOfAnotherProcess gives a name to another process between two readings.
func TestCostOfAnotherProcess(t *testing.T) {
	group := process.Group{"test": os.Getpid()}
	before, err := process.Group{"test": os.Getppid()}.Read()
	if err != nil {
		t.Fatal(err)
	}
	c, err := group.Since(before)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.CPU) != 0 {
		t.Errorf("the cost of two processes is %v", c.CPU)
	}
}

func TestAllowFiles(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := process.AllowFiles(100); err != nil {
		t.Error(err)
	}
	if err := process.AllowFiles(1 << 62); err == nil {
		t.Error("2^62 files are allowed")
	}
	var after syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &after); err != nil || after != limit {
		t.Errorf("the limit is %v, was %v (%v)", after, limit, err)
	}
}

func TestRenice(t *testing.T) {
	address, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	s, err := process.StartSelf(t.Context(), address, "serve", address)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if err := process.Renice(s.PID(), 7); err != nil {
		t.Fatal(err)
	}
	// The system call returns 20 - nice: https://man7.org/linux/man-pages/man2/getpriority.2.html
	if n, err := syscall.Getpriority(syscall.PRIO_PROCESS, s.PID()); n != 13 || err != nil {
		t.Errorf("the priority is %d (%v)", n, err)
	}
	if err := process.Renice(1<<30, 7); err == nil {
		t.Error("a process that does not exist has another priority")
	}
}
