package flight

import (
	"cmp"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
)

// Options configures a [Group]. A field is required unless its comment documents its zero value.
type Options struct {
	Pools   []*Pool
	Cache   Cache
	Watcher Watcher
	Queue   Queue
	Sealer  *seal.Sealer // of the queries in messages
	Rules   cache.Rules
	// Owner names this process as the owner of leases. It must differ from other processes' names.
	Owner string
	// MaxWaiters bounds all waiting requests, MaxWaitersPerObject the waiting requests for one
	// object, and MaxWaitersPerClient the waiting requests of one client. Zero MaxWaitersPerClient
	// is a fifth of MaxWaiters.
	MaxWaiters, MaxWaitersPerObject, MaxWaitersPerClient int
	// ColdRate bounds one client's copy requests per second, and ColdBurst its copy requests at
	// once. ColdRatePerHost and ColdBurstPerHost bound the copies from one source host in the same
	// way. A zero rate is no limit.
	ColdRate, ColdBurst, ColdRatePerHost, ColdBurstPerHost int
	// StatusRate bounds one client's calls of Look per second, and StatusBurst its calls at once. A
	// zero rate is no limit.
	StatusRate, StatusBurst int
	// Gate refuses new copies for pools whose workers are far behind. Nil is always open.
	Gate *Gate
	// Now is the clock of entries, waits and cold rates. Nil is [time.Now]. The paces of lists and
	// of verifications sleep, and use the real time.
	Now func() time.Time
	// WarmRate bounds the copy requests of lists, per second. Zero is no limit.
	WarmRate int
	// VerifyEvery is the time between two verifications of one object, at least 1 ms. Zero verifies
	// none.
	VerifyEvery time.Duration
	// AuditEvery has one of so many hits of each of Upstreams, by name, audited. Zero audits none.
	AuditEvery int
	Upstreams  []string
	// Refresh has the bucket keep copies that clients use in the last quarter of Pool.Lifespan.
	Refresh  bool
	Breakers *Breakers
	Log      zerolog.Logger
	Registry *prometheus.Registry
}

// A Group holds the flights of one process. It is safe for concurrent use.
type Group struct {
	cache       Cache
	watcher     Watcher
	queue       sealedQueue
	pools       []*Pool
	rules       cache.Rules
	owner       string
	pace        *rate.Limiter // of lists
	limits      limits
	metrics     metrics
	log         zerolog.Logger
	now         func() time.Time
	looks       looks
	maintenance *maintenance // nil if copies are neither audited nor refreshed

	mu        sync.Mutex
	flights   map[flightID]*flight
	clients   int                // of all flights
	waiting   map[netip.Addr]int // their requests, by client
	meanWait  time.Duration      // of the clients that left lately
	admission admission

	running  sync.WaitGroup
	stopping chan struct{} // closed by Stop
	stopOnce sync.Once
}

// limits bound the clients that wait.
type limits struct{ all, perObject, perClient int }

// defaultPerClient is the divisor of MaxWaiters for the default limit of one client.
const defaultPerClient = 5

// meanWaitOver is the rough number of recent clients in Group.meanWait.
const meanWaitOver = 16

// NewGroup returns a group without flights. It does no I/O. With VerifyEvery, Refresh or AuditEvery
// it starts goroutines, which Stop ends.
func NewGroup(o Options) *Group {
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Group{
		cache:   o.Cache,
		watcher: o.Watcher,
		queue: sealedQueue{
			Queue:  guardedQueue{o.Queue, newBreaker[struct{}](o.Breakers.Changed("sqs"))},
			sealer: o.Sealer, pools: map[string]storage.Pool{},
		},
		rules: o.Rules,
		owner: o.Owner,
		pace:  rate.NewLimiter(rate.Inf, 1),
		limits: limits{
			all: o.MaxWaiters, perObject: o.MaxWaitersPerObject,
			perClient: cmp.Or(o.MaxWaitersPerClient, max(1, o.MaxWaiters/defaultPerClient)),
		},
		admission: admission{
			gate:    o.Gate,
			clients: newBuckets[netip.Addr](o.ColdRate, o.ColdBurst, clientBuckets),
			hosts:   newBuckets[string](o.ColdRatePerHost, o.ColdBurstPerHost, hostBuckets),
			now:     o.Now,
		},
		looks:    looks{clients: newBuckets[netip.Addr](o.StatusRate, o.StatusBurst, clientBuckets)},
		log:      o.Log,
		now:      o.Now,
		flights:  map[flightID]*flight{},
		stopping: make(chan struct{}),
	}
	if o.WarmRate > 0 {
		g.pace.SetLimit(rate.Limit(o.WarmRate))
	}
	for _, p := range o.Pools {
		heads := newBreaker[storage.Stored](o.Breakers.Changed(p.ID()))
		g.queue.pools[p.ID()] = p.Pool
		g.pools = append(g.pools, &Pool{Pool: p.Pool, Bucket: guardedBucket{p.Bucket, heads}, Space: p.Space})
	}
	g.metrics = newMetrics(o.Registry, g.pools)
	if o.VerifyEvery > 0 {
		g.startVerifiers(o.VerifyEvery)
	}
	if o.Refresh || o.AuditEvery > 0 && len(o.Upstreams) > 0 {
		g.startMaintenance(o)
	}
	return g
}

// Pools returns the pools in the order of configuration. Their buckets are behind circuit breakers.
func (g *Group) Pools() []*Pool { return g.pools }

// Stop ends all waits with [Outcome].Stopping, and every later one. Lists request nothing more, and
// no more copies are verified, audited or refreshed. It returns at once.
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

// Drain waits until all flights, verifications, audits and refreshes have ended. Call it after
// Stop, and after the clients have left: a flight ends with its last client.
func (g *Group) Drain() { g.running.Wait() }
