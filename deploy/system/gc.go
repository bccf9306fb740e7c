package system

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// frontendGC is GOGC of a front end. Most front ends hold less memory than the requests of one
// second leave as garbage. The memory limit bounds those that hold more.
const frontendGC = 1000

const (
	// limitInterval is the time between two adjustments of a front end's memory limit.
	limitInterval = time.Second
	// limitStep is the number of connections by which the limit changes. Each change stops the
	// process for some microseconds.
	limitStep = 256
)

// frontendLimit is the memory limit of a front end. It follows the connections of clients: with a
// fixed limit, many of them would leave no room for garbage, and the process would collect all the
// time.
type frontendLimit struct {
	of   func(conns int) int64
	set  func(int64) int64
	last int64
}

// newFrontendLimit applies the policy of a front end. It returns nil if GOGC or GOMEMLIMIT is set.
func newFrontendLimit(cfg config.Config) *frontendLimit {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	debug.SetGCPercent(frontendGC)
	l := &frontendLimit{of: cfg.FrontendMemoryLimit, set: debug.SetMemoryLimit}
	l.follow(0)
	return l
}

// run follows the number of connections until ctx ends. It returns at once if l is nil.
func (l *frontendLimit) run(ctx context.Context, conns func() int) {
	if l == nil {
		return
	}
	ticker := time.NewTicker(limitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.follow(conns())
		}
	}
}

// follow sets the limit for that number of connections, rounded up to limitStep.
func (l *frontendLimit) follow(conns int) {
	limit := l.of((conns + limitStep - 1) / limitStep * limitStep)
	if limit != l.last {
		l.set(limit)
		l.last = limit
	}
}

// setWorkerGC limits the memory of a worker unless GOMEMLIMIT is set.
func setWorkerGC(cfg config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.MemoryLimit())
	}
}
