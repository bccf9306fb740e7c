package tools

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// goFlags returns the effective GOFLAGS, from the environment or from the user's go env file.
func (t Tools) goFlags(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, t.goCommand(), "env", "GOFLAGS")
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go env GOFLAGS: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// buildEnv returns the environment for a go install of package@version, outside any module.
func buildEnv(env []string, bin, flags string) []string {
	return append(slices.Clone(env), append(hostEnv(),
		"GOBIN="+bin, "GOWORK=off", "GO111MODULE=on", "GOFLAGS="+withoutModuleFlags(flags))...)
}

// hostEnv selects this machine as the target, because GOBIN can't be combined with cross-compiling.
func hostEnv() []string { return []string{"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH} }

// withoutModuleFlags removes from GOFLAGS those flags that only work inside a module. The result is
// never empty, because an empty variable would restore the flags of the go env file.
func withoutModuleFlags(flags string) string {
	kept := slices.DeleteFunc(strings.Fields(flags), func(flag string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		return name == "mod" || name == "modfile" || name == "buildvcs"
	})
	return strings.Join(append(kept, "-buildvcs=false"), " ")
}
