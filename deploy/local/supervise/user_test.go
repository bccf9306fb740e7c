package supervise_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// TestUser runs a process as another user, which only root can do.
func TestUser(t *testing.T) {
	log := filepath.Join(t.TempDir(), "id.log")
	spec := supervise.Spec{
		Name: "id", Path: "/bin/sh", Args: []string{"-c", "id -u; id -g"}, Env: os.Environ(), Dir: "/", Log: log,
		User: &supervise.User{UID: 4321, GID: 4322},
	}
	err := supervise.Run(t.Context(), spec)
	if os.Geteuid() != 0 {
		if err == nil || !strings.Contains(err.Error(), "operation not permitted") {
			t.Errorf("error is %v, want that only root can choose a user", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := os.ReadFile(log); string(out) != "4321\n4322\n" {
		t.Errorf("the process runs as %q", out)
	}
	spec.User = nil // The control
	if err := supervise.Run(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if out, _ := os.ReadFile(log); string(out) != "4321\n4322\n0\n0\n" && os.Getegid() == 0 {
		t.Errorf("without a user the processes run as %q", out)
	}
}
