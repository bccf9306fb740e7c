package tools

import (
	"os/exec"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	requireVersion := func(want string) {
		t.Helper()
		if got := Version(t.Context(), dir); got != want {
			t.Errorf("the version is %q, want %q", got, want)
		}
	}
	requireVersion("unknown")
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "first")
	commit := git("rev-parse", "--short", "HEAD")
	requireVersion(commit)
	git("tag", "v1.2.3")
	requireVersion("v1.2.3")
	git("commit", "-q", "--allow-empty", "-m", "second")
	requireVersion("v1.2.3-1-g" + git("rev-parse", "--short", "HEAD"))
}
