package stack

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

const (
	setupTimeout = time.Minute
	readyTimeout = time.Minute
)

// Env returns the variables that a program needs to reach the services of this stack, as
// NAME=value. They are credentials and region for the AWS SDKs, and those of Temporal's clients.
func (s *Stack) Env() []string {
	return append(slices.Clone(s.temporal().Env),
		"AWS_ACCESS_KEY_ID="+AccessKey, "AWS_SECRET_ACCESS_KEY="+SecretKey, "AWS_REGION="+Regions()[0],
		"AWS_EC2_METADATA_DISABLED=true",
	)
}

// UserEnv returns the environment of this process without the variables that interfere with Env.
func UserEnv() []string { return without(os.Environ(), "AWS_", "TEMPORAL_", "CLOUD_MIRROR_") }

// without returns the environment except the variables with these prefixes.
func without(env []string, prefixes ...string) []string {
	var kept []string
	for _, entry := range env {
		drop := false
		for _, prefix := range prefixes {
			drop = drop || strings.HasPrefix(entry, prefix)
		}
		if !drop {
			kept = append(kept, entry)
		}
	}
	return kept
}

func (s *Stack) productEnv(own ...string) []string {
	env := append(UserEnv(), s.Env()...)
	if to := s.routes["temporal"]; to != "" {
		env = append(env, "TEMPORAL_ADDRESS="+to)
	}
	env = append(env, "CLOUD_MIRROR_CONFIG="+s.ConfigPath())
	env = append(env, own...)
	return append(env, s.opts.Env...)
}

func (s *Stack) productSpec(name string, args []string, admin int, own ...string) supervise.Spec {
	return supervise.Spec{
		Name: name, Path: s.binary, Args: args, Dir: s.state.path, Log: s.logPath(name),
		Env: s.productEnv(own...), Ready: answers(httpURL(admin)+"/readyz", ok),
	}
}

// startProduct writes the configuration, runs `cloud-mirror setup`, and starts the processes of
// cloud-mirror.
func (s *Stack) startProduct(ctx context.Context) error {
	if err := s.route(); err != nil {
		return err
	}
	if err := s.writeConfig(); err != nil {
		return err
	}
	if err := s.setup(ctx); err != nil {
		return err
	}
	var parts []part
	for i, port := range s.plan.frontEnds {
		admin := s.plan.frontEndAdmins[i]
		parts = append(parts, s.process(s.productSpec(FrontEndName(i), []string{"frontend"}, admin,
			"CLOUD_MIRROR_FRONTEND_LISTEN="+address(port), "CLOUD_MIRROR_FRONTEND_ADMIN_LISTEN="+address(admin))))
	}
	for i, w := range s.opts.workers() {
		admin, args := s.plan.workerAdmins[i], []string{"worker"}
		if !w.bridge {
			args = append(args, "--no-bridge")
		}
		parts = append(parts, s.process(s.productSpec(w.name, args, admin,
			"CLOUD_MIRROR_WORKER_POOLS="+poolID(w.region), "CLOUD_MIRROR_WORKER_ADMIN_LISTEN="+address(admin))))
	}
	s.product = parts
	return s.startAll(ctx, "cloud-mirror", parts)
}

func (s *Stack) writeConfig() error {
	key, err := s.state.queryKey()
	if err != nil {
		return err
	}
	tokens, err := s.state.tokens()
	if err != nil {
		return err
	}
	values := newConfigValues(s.plan, tokens, key)
	values.follow(s.routes)
	return values.write(s.ConfigPath())
}

func (s *Stack) setup(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	began := time.Now()
	err := supervise.Run(ctx, supervise.Spec{
		Name: "cloud-mirror setup", Path: s.binary, Args: []string{"setup"}, Dir: s.state.path, Log: s.logPath("setup"),
		Env: s.productEnv(),
	})
	if err != nil {
		return err
	}
	s.say("cloud-mirror setup done (%s)", time.Since(began).Round(time.Millisecond))
	return nil
}

// startAll starts the parts concurrently and waits until all of them are ready.
func (s *Stack) startAll(ctx context.Context, what string, parts []part) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range parts {
		group.Go(func() error { return p.Start(ctx) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("start %s: %w", what, err)
	}
	s.say("%s ready (%s)", what, time.Since(began).Round(time.Millisecond))
	return nil
}
