package frontend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Cache is where the state of objects is kept, see [cache.NearCache]. Any error means that it is away. Remembered does no I/O,
// Get some if it must, and Read always.
type Cache interface {
	Remembered(key string, now time.Time) (cache.Entry, bool)
	Get(ctx context.Context, key string) (cache.Entry, error)
	Read(ctx context.Context, key string) (cache.Entry, error)
	Acquire(ctx context.Context, key, owner string, lease time.Duration) (cache.Entry, bool, error)
	Release(ctx context.Context, key string, lease cache.Entry) error
	Put(ctx context.Context, key string, generation int64, e cache.Entry) error
	Generations
}

// Generations is what purges leave behind.
type Generations interface {
	Generation(ctx context.Context, key string) (int64, error)
	Purge(ctx context.Context, key string) (int64, error)
}

// Watcher wakes those who wait for an entry, see [cache.Watcher].
type Watcher interface {
	Wait(key string) (changed <-chan struct{}, stop func())
	Up() bool
}

// Queue takes copy requests.
type Queue interface {
	Send(ctx context.Context, r queue.Request) error
}

// Bucket is where copies stand. Head fails with [storage.ErrNotFound]; Location does no I/O but for credentials.
type Bucket interface {
	Head(ctx context.Context, key string) (storage.Stored, error)
	Delete(ctx context.Context, key string) error
	Location(ctx context.Context, method, key string, expires time.Time) (storage.Location, error)
}

// Pool is a pool that clients can ask for, and its bucket.
type Pool struct {
	storage.Pool
	Bucket Bucket
}

// Options is what a front end is made of. All fields must be set but those that say what they are without.
type Options struct {
	Pools   []*Pool
	Cache   Cache
	Watcher Watcher
	Queue   Queue
	// Admit returns a source URL's canonical form, or an error that the client may read.
	Admit func(url string) (string, error)
	Rules cache.Rules
	// MaxWait is how long a client waits for a copy if it does not say; MaxWaitLimit is the most that it may say.
	MaxWait, MaxWaitLimit time.Duration
	// Chain is the longest that a request is held; who wants to wait longer is redirected to the front end for the rest. 0
	// holds them as long as they want.
	Chain time.Duration
	// MaxWaiters is how many clients may wait at the same time, MaxWaitersPerObject how many of them for one object.
	MaxWaiters, MaxWaitersPerObject int
	// Targets and TargetBytes bound what is kept of redirects that were answered; 0 keeps nothing.
	Targets     int
	TargetBytes int64
	// RegionOf returns the region that a client calls from, one that has a pool, for redirects to the region auto. Nil
	// knows no such region.
	RegionOf func(*http.Request) (region string, ok bool)
	// PurgeToken is the bearer token for purges and for lists of copies; empty refuses all of them.
	PurgeToken string
	// WarmRate is how many copies a second are asked for on behalf of lists; 0 is without limit.
	WarmRate int
	// LogEvery is how many-th redirect is logged at level info; 0 logs all at level debug.
	LogEvery uint32
	Breakers *Breakers
	Log      zerolog.Logger
	Registry *prometheus.Registry
	// Name tells this process from others, as the owner of leases.
	Name string
}

// Server is a front end. It is safe for concurrent use.
type Server struct {
	pools      map[string]*Pool
	poolIDs    []string // in the order of configuration
	cache      Cache
	watcher    Watcher
	queue      Queue
	admit      func(string) (string, error)
	regionOf   func(*http.Request) (string, bool)
	rules      cache.Rules
	wait       time.Duration
	waitLimit  time.Duration
	chain      time.Duration
	purgeToken string
	warm       *rate.Limiter

	log         zerolog.Logger
	redirectLog redirectLog
	metrics     metrics
	name        string
	now         func() time.Time
	started     time.Time

	router  http.Handler
	targets targets

	maxWaiters, maxWaitersPerObject int

	flights  flights
	running  sync.WaitGroup
	stopping chan struct{} // closed on shutdown
	stopOnce sync.Once
}

// New returns a front end. It does no I/O.
func New(o Options) *Server {
	s := &Server{
		pools:               map[string]*Pool{},
		cache:               o.Cache,
		watcher:             o.Watcher,
		queue:               guardedQueue{o.Queue, newBreaker[struct{}](o.Breakers.Changed("sqs"))},
		admit:               o.Admit,
		regionOf:            o.RegionOf,
		rules:               o.Rules,
		wait:                o.MaxWait,
		waitLimit:           o.MaxWaitLimit,
		chain:               o.Chain,
		purgeToken:          o.PurgeToken,
		warm:                rate.NewLimiter(rate.Inf, 1),
		log:                 o.Log,
		redirectLog:         newRedirectLog(o.Log, o.LogEvery),
		name:                o.Name,
		now:                 time.Now,
		started:             time.Now(),
		targets:             newTargets(o.Targets, o.TargetBytes),
		maxWaiters:          o.MaxWaiters,
		maxWaitersPerObject: o.MaxWaitersPerObject,
		flights:             flights{all: map[string]*flight{}},
		stopping:            make(chan struct{}),
	}
	if o.WarmRate > 0 {
		s.warm.SetLimit(rate.Limit(o.WarmRate))
	}
	for _, p := range o.Pools {
		id := p.ID()
		guarded := guardedBucket{p.Bucket, newBreaker[storage.Stored](o.Breakers.Changed(id))}
		s.pools[id], s.poolIDs = &Pool{Pool: p.Pool, Bucket: guarded}, append(s.poolIDs, id)
	}
	s.metrics = newMetrics(o.Registry, s.poolIDs)
	s.router = s.routes()
	return s
}

// ServeHTTP is everything that clients see, from the outside.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header["Origin"] != nil {
		allowOrigin(w.Header())
	}
	if !s.serveKnown(w, r) {
		s.router.ServeHTTP(w, r)
	}
}

func (s *Server) routes() http.Handler {
	r := httprouter.New()
	// Both would answer 301 with a rewritten URL, and the URL in the path must arrive as it is.
	r.RedirectTrailingSlash, r.RedirectFixedPath = false, false
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.Handle(method, "/v1/redirect/:service/:region/*url", s.redirect)
		r.Handle(method, "/v1/status/:service/:region/*url", s.status)
		r.Handle(method, "/v1/ping", s.ping)
		r.Handle(method, "/v1/api-reference", s.apiReference)
	}
	r.DELETE("/v1/purge/:service/:region/*url", s.purge)
	r.POST("/v1/copies", s.copies)
	r.GlobalOPTIONS = http.HandlerFunc(preflight)
	r.NotFound = fail(codeNotFound, "No such resource, see /v1/api-reference")
	r.MethodNotAllowed = fail(codeMethod, "Method not allowed here, see the Allow header")
	return escapedPath(r)
}

// allowOrigin lets scripts of any site read the answer, as the original did: there is nothing here that a cookie opens.
func allowOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Max-Age", "900")
	h.Set("Access-Control-Allow-Methods", "OPTIONS,GET,HEAD,POST,PUT,DELETE,TRACE,CONNECT")
	h.Set("Access-Control-Request-Method", "*")
	h.Set("Access-Control-Allow-Headers", "X-Requested-With,Content-Type,Authorization,Accept,Origin,Cache-Control")
}

func preflight(w http.ResponseWriter, _ *http.Request) {
	allowOrigin(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// escapedPath makes the router see the path as it was sent: it matches the decoded one otherwise, in which an encoded
// URL's slashes are the path's own.
func escapedPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, r2 := *r.URL, *r
		u.Path = r.URL.EscapedPath()
		r2.URL = &u
		next.ServeHTTP(w, &r2)
	})
}

func fail(c code, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeError(w, problem(c, text)) })
}

func (s *Server) ping(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
	writeJSON(w, http.StatusOK, struct {
		Alive  bool    `json:"alive"`
		Uptime float64 `json:"uptime"` // seconds
	}{true, s.now().Sub(s.started).Seconds()})
}

// shutdownGrace is how long a stopping front end lets answers finish.
const shutdownGrace = 10 * time.Second

// Run serves clients on l until ctx is over. Then waiting clients are sent to their source and answers under way finish.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// Without a WriteTimeout, which costs a hit 3 %: answers fit the socket's buffer, but for those of lists, which have
		// deadlines of their own.
		MaxHeaderBytes: 64 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	err := srv.Shutdown(grace)
	s.running.Wait()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

func (s *Server) stop() { s.stopOnce.Do(func() { close(s.stopping) }) }

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}
