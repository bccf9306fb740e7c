package flight

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Options configures a [Group]. A field is required unless its comment documents its zero value.
type Options struct {
	Pools   []*Pool
	Cache   Cache
	Watcher Watcher
	Queue   Queue
	Rules   cache.Rules
	// Owner names this process as the owner of leases. It must differ from other processes' names.
	Owner string
	// MaxWaiters bounds the waiting clients, MaxWaitersPerObject those that wait for one object.
	MaxWaiters, MaxWaitersPerObject int
	// WarmRate bounds the copy requests of lists, per second. Zero is no limit.
	WarmRate int
	// VerifyEvery is the time between two verifications of one object, at least 1 ms. Zero verifies
	// none.
	VerifyEvery time.Duration
	Breakers    *Breakers
	Log         zerolog.Logger
	Registry    *prometheus.Registry
}

// A Group holds the flights of one process. It is safe for concurrent use.
type Group struct {
	cache   Cache
	watcher Watcher
	queue   Queue
	pools   []*Pool
	rules   cache.Rules
	owner   string
	pace    *rate.Limiter // of lists
	limits  limits
	metrics metrics
	log     zerolog.Logger
	now     func() time.Time

	mu      sync.Mutex
	flights map[string]*flight // by cache key
	clients int                // of all flights

	running  sync.WaitGroup
	stopping chan struct{} // closed by Stop
	stopOnce sync.Once
}

// limits bound the clients that wait.
type limits struct{ all, perObject int }

// NewGroup returns a group without flights. It does no I/O. With VerifyEvery it starts goroutines,
// which Stop ends.
func NewGroup(o Options) *Group {
	g := &Group{
		cache:    o.Cache,
		watcher:  o.Watcher,
		queue:    guardedQueue{o.Queue, newBreaker[struct{}](o.Breakers.Changed("sqs"))},
		rules:    o.Rules,
		owner:    o.Owner,
		pace:     rate.NewLimiter(rate.Inf, 1),
		limits:   limits{o.MaxWaiters, o.MaxWaitersPerObject},
		log:      o.Log,
		now:      time.Now,
		flights:  map[string]*flight{},
		stopping: make(chan struct{}),
	}
	if o.WarmRate > 0 {
		g.pace.SetLimit(rate.Limit(o.WarmRate))
	}
	for _, p := range o.Pools {
		heads := newBreaker[storage.Stored](o.Breakers.Changed(p.ID()))
		g.pools = append(g.pools, &Pool{Pool: p.Pool, Bucket: guardedBucket{p.Bucket, heads}})
	}
	g.metrics = newMetrics(o.Registry, g.pools)
	if o.VerifyEvery > 0 {
		g.startVerifiers(o.VerifyEvery)
	}
	return g
}

// Pools returns the pools in the order of configuration. Their buckets are behind circuit breakers.
func (g *Group) Pools() []*Pool { return g.pools }

// Stop ends all waits with [Outcome].Stopping, and every later one. Lists request nothing more, and
// no more copies are verified. It returns at once.
func (g *Group) Stop() { g.stopOnce.Do(func() { close(g.stopping) }) }

// Stopping reports whether Stop was called.
func (g *Group) Stopping() bool {
	select {
	case <-g.stopping:
		return true
	default:
		return false
	}
}

// Drain waits until all flights and verifications have ended. Call it after Stop, and after the
// clients have left: a flight ends with its last client.
func (g *Group) Drain() { g.running.Wait() }
