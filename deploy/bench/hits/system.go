package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/seed"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	warmUp = 3 * time.Second
	// niced is the nice value of everything except the front end, its client and redis.
	niced = 10
)

// system is the local stack with its sources, which run in this process.
type system struct {
	settings
	dir     string
	stack   *stack.Stack
	redis   *sentinels // nil if the stack's own redis is used
	sources *httptest.Server
	ended   chan struct{} // Ends the requests that hang
	others  int           // Nice value of other processes
	nextHit int           // First object that no phase has requested
}

func startSystem(ctx context.Context, s settings, withSentinels bool) (sys *system, err error) {
	sys = &system{settings: s, nextHit: 1, ended: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/", load.ServeSmall)
	mux.HandleFunc(hangingPath, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-sys.ended:
		}
	})
	sys.sources = httptest.NewServer(mux)
	defer func() {
		if err != nil {
			err = errors.Join(err, sys.close())
		}
	}()
	if sys.dir, err = os.MkdirTemp("", "cloud-mirror-bench-"); err != nil {
		return sys, err
	}
	root, err := stack.FindRoot(".")
	if err != nil {
		return sys, err
	}
	env := []string{
		// One address stands for all clients of new objects.
		"CLOUD_MIRROR_FRONTEND_COLD_RATE=0", "CLOUD_MIRROR_FRONTEND_COLD_RATE_PER_HOST=0",
		// No copy from the hanging source fails while its clients wait.
		"CLOUD_MIRROR_SOURCE_TIMEOUT=1m",
	}
	if withSentinels {
		if sys.redis, err = startSentinels(ctx, sys.dir); err != nil {
			return sys, err
		}
		env = append(env, "CLOUD_MIRROR_REDIS_URL="+sys.redis.url())
	}
	sys.stack, err = stack.Start(ctx, stack.Options{
		Root: root, StateDir: filepath.Join(sys.dir, "state"), Binary: s.binary, Log: os.Stderr, Env: env,
	})
	if err != nil {
		return sys, err
	}
	return sys, sys.makeCopies(ctx)
}

func (s *system) close() (err error) {
	if s.stack != nil {
		err = s.stack.Close()
	}
	if s.redis != nil {
		s.redis.stop()
	}
	close(s.ended)
	s.sources.Close()
	return errors.Join(err, os.RemoveAll(s.dir))
}

// frontEnd is its host and port.
func (s *system) frontEnd() string { return strings.TrimPrefix(s.stack.FrontEndURLs()[0], "http://") }

func (s *system) frontEndPID() int { return s.stack.PID(stack.FrontEndName(0)) }

// makeCopies makes the copies of all hits exist, and those of all purges.
func (s *system) makeCopies(ctx context.Context) error {
	copies := s.nextHit + s.task(warmUp).newHits() + s.task(s.quiet).newHits() + morePhases*s.task(s.beside).newHits()
	if err := seed.Copies(ctx, s.stack, copies, func(i int) string { return hitURL(s.sources.URL, i) }); err != nil {
		return err
	}
	purges := int((s.beside + 2*time.Second) / purgeEvery)
	return seed.Copies(ctx, s.stack, purges, func(i int) string { return purgedURL(s.sources.URL, i) })
}

func (s *system) task(length time.Duration) phaseTask {
	return phaseTask{Every: s.every, Length: length}
}

// niceOthers lowers the priority of all processes except the front end and redis. Crowds that start
// later have the lower priority too.
func (s *system) niceOthers() error {
	s.others = niced
	for _, name := range s.stack.Names() {
		if pid := s.stack.PID(name); name != "redis" && pid != 0 && pid != os.Getpid() && pid != s.frontEndPID() {
			if err := process.Renice(pid, niced); err != nil {
				return fmt.Errorf("nice %s: %w", name, err)
			}
		}
	}
	return nil
}
