package system

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

const (
	// frontendGarbage is the garbage that a small front end collects at once, in bytes. Most front
	// ends hold less memory than the requests of one second leave as garbage.
	frontendGarbage = 64 << 20
	// maxFrontendGC is the greatest GOGC of a front end. The least is [config.FrontendGarbage]: a
	// front end that keeps many redirects has garbage in proportion.
	maxFrontendGC = 1000
	// gcInterval is the time between two adjustments. At full load, a front end allocates about 10
	// MiB in that time.
	gcInterval = 100 * time.Millisecond
	// limitStep is the number of connections by which the memory limit changes.
	limitStep = 256
)

// frontendGC is the policy of a front end's garbage collection. GOGC follows the memory in use. The
// memory limit follows the connections of clients: with a fixed limit, many of them would leave no
// room for garbage, and the process would collect all the time. Each change stops the process for
// some microseconds, so small changes wait.
type frontendGC struct {
	limitOf    func(conns int) int64 // In bytes
	setPercent func(int) int
	setLimit   func(int64) int64
	percent    int
	limit      int64
}

// newFrontendGC applies the policy. It returns nil if GOGC or GOMEMLIMIT is set.
func newFrontendGC(cfg config.Config) *frontendGC {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	g := &frontendGC{limitOf: cfg.FrontendMemoryLimit, setPercent: debug.SetGCPercent, setLimit: debug.SetMemoryLimit}
	g.follow(liveHeap(), 0)
	return g
}

// run adjusts the policy until ctx is done. It returns at once if g is nil.
func (g *frontendGC) run(ctx context.Context, conns func() int) {
	if g == nil {
		return
	}
	ticker := time.NewTicker(gcInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.follow(liveHeap(), conns())
		}
	}
}

// follow adjusts the policy to the memory in use, in bytes, and to the number of connections.
func (g *frontendGC) follow(live uint64, conns int) {
	if next := frontendPercent(live); next < g.percent*15/16 || next > g.percent*17/16 {
		g.setPercent(next)
		g.percent = next
	}
	if next := g.limitOf((conns + limitStep - 1) / limitStep * limitStep); next != g.limit {
		g.setLimit(next)
		g.limit = next
	}
}

// frontendPercent returns GOGC of a front end with that much memory in use, in bytes.
func frontendPercent(live uint64) int {
	return int(min(max(100*frontendGarbage/max(live, 1), config.FrontendGarbage), maxFrontendGC))
}

// liveHeap returns the memory in use at the end of the last garbage collection, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0 // Another version of Go has no such metric.
	}
	return sample[0].Value.Uint64()
}

// setWorkerGC limits the memory of a worker unless GOMEMLIMIT is set.
func setWorkerGC(cfg config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.MemoryLimit())
	}
}
