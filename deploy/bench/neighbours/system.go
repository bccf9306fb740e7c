package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/seed"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	warmUp = 2 * time.Second
	// maxWaiters is frontend.max_waiters. It is low, so that the waiting places that an attacker
	// takes and never gives back run out within seconds.
	maxWaiters = 1000
)

// system is the whole system with its sources.
type system struct {
	settings
	dir     string
	stack   *stack.Stack
	sources *sourceProcess
	redis   *redis.Client
	// nextHit and nextCold are the first objects that no phase has requested.
	nextHit, nextCold int
}

func startSystem(ctx context.Context, s settings) (sys *system, err error) {
	sys = &system{settings: s, nextHit: 1}
	defer func() {
		if err != nil {
			err = errors.Join(err, sys.close())
		}
	}()
	if sys.dir, err = os.MkdirTemp("", "cloud-mirror-bench-"); err != nil {
		return sys, err
	}
	if sys.sources, err = startSources(ctx); err != nil {
		return sys, err
	}
	root, err := stack.FindRoot(".")
	if err != nil {
		return sys, err
	}
	binary, err := sys.wrapper()
	if err != nil {
		return sys, err
	}
	sys.stack, err = stack.Start(ctx, stack.Options{
		Root: root, StateDir: filepath.Join(sys.dir, "state"), Binary: binary, Log: os.Stderr,
		Env: []string{
			fmt.Sprintf("CLOUD_MIRROR_FRONTEND_MAX_WAITERS=%d", maxWaiters),
			fmt.Sprintf("CLOUD_MIRROR_FRONTEND_MAX_WAITERS_PER_OBJECT=%d", maxWaiters),
			// A part of the copies that two processors make in a second: see "Limits" in deploy/README.md
			"CLOUD_MIRROR_FRONTEND_COLD_RATE=10", "CLOUD_MIRROR_FRONTEND_COLD_BURST=20", "CLOUD_MIRROR_FRONTEND_WARM_RATE=10",
		},
	})
	if err != nil {
		return sys, err
	}
	sys.redis = redis.NewClient(&redis.Options{Addr: sys.stack.RedisAddr()})
	return sys, sys.makeCopies(ctx)
}

// wrapper writes a program that runs cloud-mirror. It limits the descriptors of a front end.
func (s *system) wrapper() (string, error) {
	path := filepath.Join(s.dir, "cloud-mirror")
	text := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = frontend ]; then ulimit -n %d; fi\nexec '%s' \"$@\"\n",
		s.files, strings.ReplaceAll(s.binary, "'", `'\''`))
	return path, os.WriteFile(path, []byte(text), 0o700) //nolint:gosec // A program
}

func (s *system) close() error {
	var err error
	if s.redis != nil {
		err = s.redis.Close()
	}
	if s.stack != nil {
		err = errors.Join(err, s.stack.Close())
	}
	if s.sources != nil {
		s.sources.Stop()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// frontEnd is its host and port.
func (s *system) frontEnd() string { return strings.TrimPrefix(s.stack.FrontEndURLs()[0], "http://") }

// makeCopies puts the copies of all hits into the bucket, and their entries into redis.
func (s *system) makeCopies(ctx context.Context) error {
	copies := 1
	for _, length := range []time.Duration{warmUp, s.quiet, s.beside} {
		copies += s.task(length).newHits()
	}
	return seed.Copies(ctx, s.stack, copies, s.sources.hit)
}

func (s *system) task(length time.Duration) phaseTask {
	return phaseTask{HitsEvery: s.hitsEvery, ColdEvery: s.coldEvery, Length: length}
}

// phase lets the clients run.
func (s *system) phase(ctx context.Context, length time.Duration) (p phase, err error) {
	t := s.task(length)
	t.FrontEnd, t.Sources, t.FirstHit, t.FirstCold = s.frontEnd(), s.sources.sources, s.nextHit, s.nextCold
	s.nextHit += t.newHits()
	s.nextCold += t.cold()
	return p, process.RunSelf(ctx, runClients, t, &p)
}

// peakMemory is the peak of the front end's resident memory, in bytes.
func (s *system) peakMemory() (int64, error) { return process.Peak(s.stack.PID(stack.FrontEndName(0))) }
