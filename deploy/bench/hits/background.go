package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	freezing = time.Second
	// arrival is how long the clients that wait may take to arrive.
	arrival = 2 * time.Minute
)

// background is a kind of work beside hits.
type background struct {
	name  string // For -only
	title string
	// failure is set if redis fails: then the slowest hit has a bound of its own.
	failure bool
	niced   bool
	// sentinels is set if redis is a master with a replica and sentinels.
	sentinels bool
	start     func(context.Context, *system) (work, error)
}

func (b background) String() string { return b.name + ": " + b.title }

// backgrounds are all rows.
func backgrounds() []background {
	const copies, purges = "cold objects are copied", "100 purges a second"
	return []background{
		{name: "copies", title: copies, start: copyObjects},
		{name: "copies-niced", title: copies + ", others at nice 10", niced: true, start: copyObjects},
		{name: "waiters", title: "clients wait for a source that hangs", start: waitForCopies},
		{name: "waiters-niced", title: "clients wait, others at nice 10", niced: true, start: waitForCopies},
		{name: "purges", title: purges, start: purgeObjects},
		{name: "purges-niced", title: purges + ", others at nice 10", niced: true, start: purgeObjects},
		{name: "freeze", title: "redis is frozen for 1 s", failure: true, start: freezeRedis},
		{name: "restart", title: "redis is killed and restarts", failure: true, start: restartRedis},
		{name: "failover", title: "a sentinel promotes a replica of redis", failure: true, sentinels: true, start: failOverRedis},
	}
}

// work is running work.
type work interface {
	// done reports whether the work has happened. An error is work that can't be measured.
	done(context.Context) (bool, error)
	// effort describes the work.
	effort(context.Context) (string, error)
	// stop ends the work.
	stop()
}

// crowdWork is the work of a crowd's process.
type crowdWork struct {
	*load.Background
	system *system
	enough func(ctx context.Context, counts map[string]int) (bool, error)
}

func (s *system) startCrowd(
	ctx context.Context, kind string, enough func(context.Context, map[string]int) (bool, error),
) (work, error) {
	b, err := load.StartBackground(ctx, runCrowd, crowdTask{
		Kind: kind, FrontEnd: s.frontEnd(), Source: s.sources.URL, Waiters: s.waiters, Nice: s.others,
	})
	if err != nil {
		return nil, err
	}
	return crowdWork{b, s, enough}, nil
}

func (w crowdWork) done(ctx context.Context) (bool, error) {
	counts, err := w.Counts(ctx)
	if err != nil {
		return false, err
	}
	return w.enough(ctx, counts)
}

func (w crowdWork) effort(ctx context.Context) (string, error) { return w.Effort(ctx) }

func (w crowdWork) stop() { w.Stop() }

// copyObjects has a crowd request new objects until enough copies are made.
func copyObjects(ctx context.Context, s *system) (work, error) {
	return s.startCrowd(ctx, crowdCopies, func(_ context.Context, counts map[string]int) (bool, error) {
		return counts[copied] >= s.copies, nil
	})
}

// waitForCopies returns when all clients wait.
func waitForCopies(ctx context.Context, s *system) (work, error) {
	w, err := s.startCrowd(ctx, crowdWaiters, func(ctx context.Context, _ map[string]int) (bool, error) {
		n, err := client.Waiting(ctx, s.stack.AdminURL(stack.FrontEndName(0)))
		if err == nil && n < s.waiters {
			err = fmt.Errorf("only %d clients wait at the end", n)
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(arrival); ; load.Wait(ctx, 100*time.Millisecond) {
		n, err := client.Waiting(ctx, s.stack.AdminURL(stack.FrontEndName(0)))
		if err == nil && n >= s.waiters {
			return w, nil
		}
		if err == nil && time.Now().After(deadline) {
			err = fmt.Errorf("only %d clients wait after %s", n, arrival)
		}
		if err != nil {
			w.stop()
			return nil, err
		}
	}
}

// purgeObjects has a crowd purge objects.
func purgeObjects(ctx context.Context, s *system) (work, error) {
	return s.startCrowd(ctx, crowdPurges, func(_ context.Context, counts map[string]int) (bool, error) {
		purged := counts[http.StatusText(http.StatusNoContent)]
		if least := int(s.beside/purgeEvery) * 9 / 10; purged < least {
			return false, fmt.Errorf("fewer than %d purges: %s", least, load.DescribeCounts(counts))
		}
		return true, nil
	})
}

// failing is a failure of redis in the middle of a phase.
type failing struct {
	ended sync.WaitGroup
	what  string
	err   error
}

// fail lets redis fail after a third of the phase. f describes what happened.
func (s *system) fail(ctx context.Context, f func() (what string, err error)) work {
	w := &failing{}
	w.ended.Go(func() {
		load.Wait(ctx, s.beside/3)
		if w.err = ctx.Err(); w.err == nil {
			w.what, w.err = f()
		}
	})
	return w
}

func (w *failing) done(context.Context) (bool, error) {
	w.ended.Wait()
	return true, w.err
}

func (w *failing) effort(context.Context) (string, error) { return w.what, nil }

func (w *failing) stop() { w.ended.Wait() }

func freezeRedis(ctx context.Context, s *system) (work, error) {
	return s.fail(ctx, func() (string, error) {
		if err := s.stack.Signal("redis", syscall.SIGSTOP); err != nil {
			return "", err
		}
		load.Wait(ctx, freezing)
		return "redis was frozen once", s.stack.Signal("redis", syscall.SIGCONT)
	}), nil
}

func restartRedis(ctx context.Context, s *system) (work, error) {
	return s.fail(ctx, func() (string, error) {
		start := time.Now()
		if err := s.stack.Kill("redis"); err != nil {
			return "", err
		}
		err := s.stack.WaitReady(ctx, "redis")
		return fmt.Sprintf("redis was away for %s", time.Since(start).Round(time.Millisecond)), err
	}), nil
}

func failOverRedis(ctx context.Context, s *system) (work, error) {
	return s.fail(ctx, func() (string, error) { return s.redis.failOver(ctx) }), nil
}
