package tools

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestSatisfies(t *testing.T) {
	tests := []struct {
		output string
		want   bool
	}{
		{"temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)", true},
		{"temporal version 1.10.0 (Server 1.31.0, UI 2.50.0)", true},
		{"temporal version 1.5.0 (Server 1.29.0, UI 2.41.0)", false},
		{"temporal version 1.5.1-rc.1 (Server 1.29.1)", false},
		{"temporal version 2.0.0 (Server 2.0.0)", false},
		{"temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)", false},
		{"bash: not what you think", false},
	}
	for _, tt := range tests {
		t.Run(tt.output, func(t *testing.T) {
			if got := satisfies(tt.output, "v1.5.1"); got != tt.want {
				t.Errorf("satisfies is %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWithoutModuleFlags(t *testing.T) {
	tests := []struct{ name, flags, want string }{
		{"no flags", "", "-buildvcs=false"},
		{"-mod is dropped", "-mod=vendor -trimpath", "-trimpath -buildvcs=false"},
		{"--modfile is dropped", "--modfile=x.mod", "-buildvcs=false"},
		{"other flags stay", "-modcacherw -tags=a,b", "-modcacherw -tags=a,b -buildvcs=false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := withoutModuleFlags(tt.flags); got != tt.want {
				t.Errorf("withoutModuleFlags is %q, want %q", got, tt.want)
			}
		})
	}
}

// fakeGo is a go command that records each install in the file $CALLS. It builds any package whose
// name does not contain broken.
const fakeGo = `#!/bin/sh
[ "$1" = env ] && { echo "-mod=vendor"; exit 0; }
echo install >> "$CALLS"
case "$GOFLAGS$3" in
*-mod=*) echo "-mod in GOFLAGS"; exit 1;;
*broken*) echo "example.com/a" >&2; echo "broken.go:1:1: no such thing" >&2; exit 1;;
esac
echo example.com/a >&2; echo example.com/b >&2
echo "$GOOS $GOWORK" > "$GOBIN/prog"; chmod +x "$GOBIN/prog"
`

func fakeTools(t *testing.T) (Tools, func() int) {
	t.Helper()
	root := t.TempDir()
	script, calls := filepath.Join(root, "go"), filepath.Join(root, "calls")
	if err := os.WriteFile(script, []byte(fakeGo), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CALLS", calls)
	t.Setenv("GOOS", "plan9")
	return Tools{Root: root, Go: script}, func() int {
		b, _ := os.ReadFile(calls)
		return strings.Count(string(b), "install")
	}
}

func TestConcurrentBuildersBuildOnce(t *testing.T) {
	tools, calls := fakeTools(t)
	program := Program{Name: "my-prog", Package: "example.com/prog", Version: "v1.2.3"}
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() {
			path, err := tools.Pinned(t.Context(), program)
			if err != nil {
				t.Error(err)
			}
			if filepath.Base(path) != "my-prog-v1.2.3" || !executable(path) {
				t.Errorf("path is %s", path)
			}
		})
	}
	wait.Wait()
	if calls() != 1 {
		t.Errorf("built %d times, want once", calls())
	}
	left, _ := filepath.Glob(filepath.Join(tools.Root, ".cache", "build", "my-prog-*"))
	if len(left) != 0 {
		t.Errorf("the build left %v", left)
	}
	b, err := os.ReadFile(filepath.Join(tools.bin(), "my-prog-v1.2.3"))
	if err != nil || strings.Contains(string(b), "plan9") || !strings.Contains(string(b), "off") {
		t.Errorf("built for %q (%v), want the host, and no workspace", b, err)
	}
}

func TestFailedBuild(t *testing.T) {
	tools, calls := fakeTools(t)
	var log strings.Builder
	tools.Log = &log
	for want := range 2 {
		_, err := tools.Pinned(t.Context(), Program{Name: "prog", Package: "example.com/broken", Version: "v1.0.0"})
		if err == nil || !strings.Contains(err.Error(), "no such thing") {
			t.Fatalf("error is %v, want the compiler's message in it", err)
		}
		if calls() != want+1 {
			t.Errorf("built %d times, want %d: a failure is not remembered", calls(), want+1)
		}
	}
	entries, _ := os.ReadDir(tools.bin())
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "prog") }) {
		t.Error("a failed build left a program behind")
	}
}
