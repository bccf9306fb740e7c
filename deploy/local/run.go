package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

type runCommand struct {
	Race   bool   `help:"Build cloud-mirror with the race detector."`
	Binary string `help:"Run this cloud-mirror instead of building one." type:"existingfile"`
}

// Run is the subcommand run. A signal ends it without an error.
func (c runCommand) Run(env environment) error {
	o, err := stack.FromEnv(os.Getenv, env.root)
	if err != nil {
		return err
	}
	o.Race, o.Binary, o.Log, o.Terminal = c.Race, c.Binary, os.Stderr, env.terminal
	o.Env = settings(os.Environ())
	if o.Temporal, err = stack.TemporalFromEnv(os.Environ()); err != nil {
		return err
	}
	ctx := env.ctx
	s, err := stack.Start(ctx, o)
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted before all parts were ready; nothing is left running")
	}
	if err != nil {
		return err
	}
	version, err := productVersion(ctx, s.Binary())
	if err != nil {
		return errors.Join(err, s.Close())
	}
	printBanner(os.Stdout, s, version)
	<-ctx.Done()

	// A second signal kills the processes.
	impatient := make(chan os.Signal, 1)
	signal.Notify(impatient, os.Interrupt, syscall.SIGTERM)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	fmt.Fprintln(os.Stderr, "stopping; press Ctrl-C again to kill")
	select {
	case err = <-closed:
		return err
	case <-impatient:
		s.KillAll()
		return errors.New("killed")
	}
}

// productVersion returns the output of `cloud-mirror version`, for example "cloud-mirror v1.2.0".
func productVersion(ctx context.Context, binary string) (string, error) {
	out, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", binary, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// settings are the user's settings of cloud-mirror, except those that the stack sets.
func settings(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return !strings.HasPrefix(name, "CLOUD_MIRROR_") || name == "CLOUD_MIRROR_CONFIG" ||
			name == "CLOUD_MIRROR_WORKER_POOLS" || strings.HasSuffix(name, "_LISTEN")
	})
}
