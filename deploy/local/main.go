package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

type commands struct {
	Run      runCommand      `cmd:"" help:"Run everything until Ctrl-C. Environment variables set the ports and the state folder: FRONTEND_PORT, ADMIN_PORT, TEMPORAL_PORT, TEMPORAL_UI_PORT, S3_PORT, SQS_PORT, REDIS_PORT, ORIGIN_PORT, FRONTENDS, STATE_DIR. TEMPORAL_ADDRESS or a profile of temporal.toml names an existing Temporal."`
	Temporal temporalCommand `cmd:"" help:"Run the Temporal CLI against the local server: temporal -- workflow list"`
	Cluster  clusterCommand  `cmd:"" help:"Run Temporal's services on PostgreSQL until Ctrl-C, for run and for benchmarks."`
	Helm     helmCommand     `cmd:"" help:"Run Helm, for the chart in deploy/charts: helm -- lint deploy/charts/cloud-mirror"`
	Clean    cleanCommand    `cmd:"" help:"Remove the state folder."`
	Exec     execCommand     `cmd:"" help:"Run a command in the root of the repository, beside fresh services: exec -- go test ./..."`
}

// environment is the input of every command.
type environment struct {
	ctx      context.Context // Done at the first SIGINT, SIGTERM or SIGHUP
	root     string          // Of the repository
	terminal bool            // Standard error is a terminal
}

func main() {
	cli := commands{}
	parsed := kong.Parse(&cli, kong.Name("local"), kong.Description("cloud-mirror on one machine."), kong.UsageOnError())
	err := execute(parsed)
	if exit, ok := errors.AsType[commandError](err); ok {
		os.Exit(exit.status())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func execute(parsed *kong.Context) error {
	root, err := stack.FindRoot(".")
	if err != nil {
		return err
	}
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // Nohup ignores it
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	return parsed.Run(environment{ctx: ctx, root: root, terminal: isatty.IsTerminal(os.Stderr.Fd())})
}

// commandError is the failure of the user's command. This program exits with its status and prints
// nothing: the command has printed the reason.
type commandError struct{ *exec.ExitError }

// status is the exit status that a shell would report.
func (e commandError) status() int {
	if ws, ok := e.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return e.ExitCode()
}
