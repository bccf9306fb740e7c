package tools

import (
	"context"
	"os/exec"
	"strings"
)

// Version returns the version of a checkout, as `git describe` names it, or "unknown" outside git.
// `make build` uses the same command.
func Version(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
