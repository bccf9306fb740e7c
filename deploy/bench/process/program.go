package process

import (
	"context"
	"encoding/json"
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

// RunSelf runs a subcommand of the running program in a process of its own. The process takes the task
// as JSON, and prints its result as JSON.
func RunSelf(ctx context.Context, subcommand string, task, result any) error {
	text, err := json.Marshal(task)
	if err != nil {
		return err
	}
	program, err := Self(subcommand, string(text))
	if err != nil {
		return err
	}
	out, _, err := Run(ctx, program)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, result)
}

func (p Program) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path, p.Args...) //nolint:gosec // A program that the benchmark names
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
