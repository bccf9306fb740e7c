package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

type temporalCommand struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"Arguments of the Temporal CLI."`
}

// Run is the subcommand temporal.
func (c temporalCommand) Run(env environment) error {
	o, err := stack.FromEnv(os.Getenv, env.root)
	if err != nil {
		return err
	}
	program, err := tools.Tools{Root: env.root, Log: os.Stderr, Terminal: env.terminal}.Temporal(env.ctx)
	if err != nil {
		return err
	}
	at, err := stack.TemporalFromEnv(os.Environ())
	if err != nil {
		return err
	}
	if at == nil {
		at = stack.TemporalAt(fmt.Sprintf("127.0.0.1:%d", o.Ports.Temporal))
		if conn, err := (&net.Dialer{}).DialContext(env.ctx, "tcp", at.Address); err == nil {
			conn.Close()
		} else {
			fmt.Fprintf(os.Stderr, "nothing listens on %s: is `make run` running, with the same TEMPORAL_PORT?\n", at.Address)
		}
	}
	cmd := exec.CommandContext(context.WithoutCancel(env.ctx), program, afterDashes(c.Args)...)
	cmd.Env = append(os.Environ(), at.Env...)
	return foreground(env.ctx, cmd)
}

type helmCommand struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"Arguments of Helm."`
}

// Run is the subcommand helm.
func (c helmCommand) Run(env environment) error {
	program, err := tools.Tools{Root: env.root, Log: os.Stderr, Terminal: env.terminal}.Pinned(env.ctx, tools.Helm())
	if err != nil {
		return err
	}
	return foreground(env.ctx, exec.CommandContext(context.WithoutCancel(env.ctx), program, afterDashes(c.Args)...))
}

type cleanCommand struct{}

// Run is the subcommand clean.
func (cleanCommand) Run(env environment) error {
	o, err := stack.FromEnv(os.Getenv, env.root)
	if err != nil {
		return err
	}
	return stack.Clean(o.StateDir)
}

type execCommand struct {
	Args []string `arg:"" passthrough:"" help:"Command and its arguments."`
}

// Run is the subcommand exec.
func (c execCommand) Run(env environment) error {
	args := afterDashes(c.Args)
	if len(args) == 0 {
		return errors.New("exec needs a command, for example `exec -- go test ./...`")
	}
	dir, err := os.MkdirTemp("", "cloud-mirror-exec-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := stack.Start(env.ctx, stack.Options{
		Root: env.root, StateDir: dir, ServicesOnly: true, Log: os.Stderr, Terminal: env.terminal,
	})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(env.ctx), args[0], args[1:]...)
	cmd.Dir = env.root
	cmd.Env = append(stack.UserEnv(), append(s.Env(), testEnv(s)...)...)
	return errors.Join(foreground(env.ctx, cmd), s.Close())
}

// testEnv returns the addresses of the services for integration tests.
func testEnv(s *stack.Stack) []string {
	var endpoints []string
	for _, region := range stack.Regions() {
		endpoints = append(endpoints, region+"="+s.S3Endpoint(region))
	}
	return []string{
		"CM_TEST_REDIS_URL=" + s.RedisURL(), "CM_TEST_S3_ENDPOINTS=" + strings.Join(endpoints, ","),
		"CM_TEST_SQS_ENDPOINT=" + s.SQSEndpoint(), "CM_TEST_MINIO_ENDPOINT=" + s.MinIOEndpoint(),
		"CM_TEST_TEMPORAL_ADDRESS=" + s.TemporalAddress(),
	}
}

// foreground runs a command on the terminal of this process.
//
//   - A Ctrl-C reaches the command from the terminal, because it is in the same process group. Only
//     a SIGTERM to this process is passed on.
//   - The context must not be the command's own: that would kill the command at a Ctrl-C, which the
//     command handles itself.
//   - If the context is done already, foreground starts nothing and returns the error of the
//     context.
//   - A failed command is a commandError.
func foreground(ctx context.Context, cmd *exec.Cmd) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	defer signal.Stop(terminate)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case sig := <-terminate:
			_ = cmd.Process.Signal(sig)
		case <-done:
		}
	}()
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return commandError{exit}
	}
	return err
}

// afterDashes drops the separator before the arguments.
func afterDashes(args []string) []string {
	if len(args) > 0 && args[0] == "--" {
		return args[1:]
	}
	return args
}
