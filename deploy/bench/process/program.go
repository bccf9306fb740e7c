package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Program is a program to run.
type Program struct {
	Path string
	Args []string
	// Env is the whole environment, as NAME=value. The default is the environment of this process.
	Env []string
}

// Self is the running program, with other arguments.
func Self(args ...string) (Program, error) {
	path, err := os.Executable()
	return Program{Path: path, Args: args}, err
}

func (p Program) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path, p.Args...) //nolint:gosec // a program that the benchmark names
	cmd.Env = p.Env
	return cmd
}

func (p Program) name() string { return filepath.Base(p.Path) }

// Need returns an error if a program is not installed.
func Need(programs ...string) error {
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing; install it with your package manager, e.g. apt-get install %s", program, program)
		}
	}
	return nil
}
