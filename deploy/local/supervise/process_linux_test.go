package supervise_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestSupervisorKilled kills the supervisor, which can't clean up, and expects its child to exit.
// Only Linux kills a child when its parent dies.
func TestSupervisorKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{roleVariable + "=supervisor", "DIR=" + shortDir(t)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	var child int
	if _, scan := fmt.Sscan(line, &child); err != nil || scan != nil {
		t.Fatalf("the supervisor printed %q: %v", line, err)
	}
	if exited(child) {
		t.Fatal("the child exited before the supervisor was killed")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !exited(child) {
		select {
		case <-tick.C:
		case <-deadline:
			_ = syscall.Kill(child, syscall.SIGKILL)
			t.Fatalf("process %d outlived its supervisor", child)
		}
	}
}
