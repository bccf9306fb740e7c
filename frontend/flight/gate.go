package flight

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

const (
	// gateInterval is the time between two reads of the backlogs.
	gateInterval = time.Second
	// gateTimeout bounds a read.
	gateTimeout = time.Second
)

// Backlogs reads the backlogs of pools; see [cache.Redis.Backlogs].
type Backlogs interface {
	// Backlogs returns the backlogs of these pools. It omits a pool with an unknown backlog.
	Backlogs(ctx context.Context, pools []string) (map[string]cache.Backlog, error)
}

// GateOptions configures a [Gate]. A field is required unless its comment documents its zero value.
type GateOptions struct {
	Backlogs Backlogs
	Pools    []string // Ids.
	// MaxTasks and MaxAge are the largest backlog at which a pool's gate is open. Zero is no limit.
	MaxTasks int
	MaxAge   time.Duration
	Log      zerolog.Logger
}

// A Gate refuses new copies for pools whose workers are far behind. It is open for a pool with an
// unknown backlog. A nil Gate is always open. It is safe for concurrent use.
type Gate struct {
	o     GateOptions
	state atomic.Pointer[map[string]gateState] // by pool
}

// gateState lists the demanders for which a pool's gate is closed.
type gateState struct {
	closed     [2]bool // by demander
	retryAfter time.Duration
}

// demander is the origin of a copy request: clients or a list. The gate closes earlier for lists,
// so that a list alone can't close it for clients.
type demander int

const (
	forClients demander = iota
	forLists
)

// share returns the part of the limits at which the gate closes for the demander.
func (d demander) share() float64 {
	if d == forLists {
		return 0.5
	}
	return 1
}

// reopenAt is the part of a limit below which a closed gate opens. Without that distance a gate
// would change at every read while workers keep pace with the requests.
const reopenAt = 0.8

// NewGate returns an open gate. It does no I/O.
func NewGate(o GateOptions) *Gate { return &Gate{o: o} }

// Run reads the backlogs every second until ctx ends.
func (g *Gate) Run(ctx context.Context) {
	if g.o.MaxTasks == 0 && g.o.MaxAge == 0 {
		return
	}
	ticker := time.NewTicker(gateInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		g.read(ctx)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// read judges the backlogs again. After an error all of them are unknown. The cache itself reports
// that redis is down.
func (g *Gate) read(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, gateTimeout)
	defer cancel()
	backlogs, err := g.o.Backlogs.Backlogs(ctx, g.o.Pools)
	if err != nil {
		backlogs = nil
	}
	before, now := g.states(), map[string]gateState{}
	for _, pool := range g.o.Pools {
		b, known := backlogs[pool]
		state := gateState{}
		if known {
			state = g.judge(before[pool], b)
		}
		now[pool] = state
		g.report(pool, before[pool], state, b)
	}
	g.state.Store(&now)
}

func (g *Gate) states() map[string]gateState {
	if s := g.state.Load(); s != nil {
		return *s
	}
	return nil
}

// judge returns the state of a gate with a backlog.
func (g *Gate) judge(before gateState, b cache.Backlog) (s gateState) {
	for _, d := range []demander{forClients, forLists} {
		part := d.share()
		if before.closed[d] {
			part *= reopenAt
		}
		s.closed[d] = over(b.Tasks, int64(g.o.MaxTasks), part) || over(int64(b.Age), int64(g.o.MaxAge), part)
	}
	s.retryAfter = g.opensIn(b)
	return s
}

// over reports whether a value exceeds a part of its limit. Zero is no limit.
func over(value, limit int64, part float64) bool {
	return limit > 0 && float64(value) > part*float64(limit)
}

// opensIn estimates when the gate opens for clients. Workers take the excess tasks at their current
// rate. An excess age takes its own length: the rate at which it shrinks is unknown.
func (g *Gate) opensIn(b cache.Backlog) (wait time.Duration) {
	if excess := float64(b.Tasks) - reopenAt*float64(g.o.MaxTasks); g.o.MaxTasks > 0 && excess > 0 {
		wait = maxRetry
		if seconds := excess / b.Rate; seconds < maxRetry.Seconds() { // It is infinite for rate 0.
			wait = time.Duration(seconds * float64(time.Second))
		}
	}
	if g.o.MaxAge > 0 {
		wait = max(wait, b.Age-time.Duration(reopenAt*float64(g.o.MaxAge)))
	}
	return wait
}

func (g *Gate) report(pool string, before, now gateState, b cache.Backlog) {
	switch was, is := before.closed[forClients], now.closed[forClients]; {
	case is && !was:
		g.o.Log.Warn().Str("pool", pool).Int64("tasks", b.Tasks).Dur("age_ms", b.Age).
			Msg("workers are far behind: no new copies are requested")
	case was && !is:
		g.o.Log.Info().Str("pool", pool).Msg("new copies are requested again")
	}
}

// pass returns a [*LimitError] if the pool's gate is closed. It does no I/O.
func (g *Gate) pass(pool string, d demander) error {
	if g == nil {
		return nil
	}
	if s := g.states()[pool]; s.closed[d] {
		return refuse(LimitBacklog, s.retryAfter)
	}
	return nil
}
