package frontend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/frontend/token"
	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

// Entries reads the entries of objects; see [cache.NearCache]. Any error means that redis is
// unavailable.
type Entries interface {
	// Remembered returns an entry that is in memory and fresh. It does no I/O.
	Remembered(key string, now time.Time) (cache.Entry, bool)
	// Get returns an entry from memory, or else from redis.
	Get(ctx context.Context, key string) (cache.Entry, error)
}

// Options configures a [Server]. A field is required unless its comment documents its zero value.
type Options struct {
	Flights *flight.Group
	Entries Entries
	// Admit returns a source URL's canonical form, or an error whose text clients may read: see
	// [BadURL].
	Admit func(url string) (string, error)
	// Bypasses are the hosts and pools whose copies an operator has switched off. Nil is none.
	Bypasses *cache.Bypasses
	// RegionOf returns the region that a client calls from, one that has a pool, for requests to
	// the region auto. Nil disables that region.
	RegionOf func(*http.Request) (region string, ok bool)
	// ClientOf returns the address that identifies a request's client in the limits per client. Nil
	// counts all clients as a single client.
	ClientOf func(*http.Request) netip.Addr
	// AtLimit is the answer at a limit of package flight. Empty is [AtLimitSource].
	AtLimit AtLimit
	// MaxWait is a client's wait unless it sets its own, up to MaxWaitLimit.
	MaxWait, MaxWaitLimit time.Duration
	// Upstreams are the upstreams of the mirror route. Nil is none.
	Upstreams *upstream.Set
	// MirrorWait is a client's wait on the mirror route unless it sets its own.
	MirrorWait time.Duration
	// Chain caps how long one request is held. Clients that may wait longer are redirected back
	// here for the remainder. Zero disables chaining.
	Chain time.Duration
	// CacheEntries and CacheMemory (bytes) bound the targets and answers kept in memory. Zero keeps
	// none.
	CacheEntries int
	CacheMemory  int64
	// Tokens checks the bearer tokens of purges, lists of copies and details of a status. Nil
	// refuses all tokens.
	Tokens *token.Guard
	// MaxConns is the limit of clients' open connections, and MaxConnsPerClient the limit of one
	// client. Zero is no limit. ClientTimeout bounds the time in which a client acknowledges or
	// reads nothing; zero is the kernel's default. See [conns.Options].
	MaxConns, MaxConnsPerClient int
	ClientTimeout               time.Duration
	// MaxLists is the limit of lists that are served at the same time. Zero is no limit.
	MaxLists int
	// MinSize is the size of the smallest object that redirects and lists copy, in bytes. The upstreams
	// of the mirror route have their own. Zero copies every object.
	MinSize int64
	// LoopID is this deployment's name in CDN-Loop. Empty recognises no loop.
	LoopID string
	// LogSample logs every nth redirect at level info. Zero logs all of them at level debug.
	LogSample uint32
	// Tracer makes the spans of redirects and purges, except of hits. Nil makes none.
	Tracer   trace.Tracer
	Log      zerolog.Logger
	Registry *prometheus.Registry
}

// Server is a front end. It is safe for concurrent use.
type Server struct {
	flights   *flight.Group
	redirects *redirects
	mirrors   *mirrors
	router    http.Handler
	guard     *conns.Guard
	loopID    string
	started   time.Time
	draining  atomic.Bool
}

// New returns a front end. It does no I/O.
func New(o Options) *Server {
	paths := paths{pools: o.Flights.Pools(), admit: o.Admit, regionOf: o.RegionOf}
	if o.Upstreams == nil {
		o.Upstreams = &upstream.Set{}
	}
	metrics := newMetrics(o.Registry, paths.poolIDs(), o.Upstreams)
	if o.Bypasses == nil {
		o.Bypasses = &cache.Bypasses{}
	}
	if o.ClientOf == nil {
		o.ClientOf = func(*http.Request) netip.Addr { return netip.Addr{} }
	}
	if o.Tokens == nil {
		o.Tokens = token.NewGuard(token.Options{})
	}
	tokens := tokens{guard: o.Tokens, clientOf: o.ClientOf}
	s := &Server{
		flights: o.Flights,
		loopID:  o.LoopID,
		started: time.Now(),
		redirects: &redirects{
			paths:    paths,
			minSize:  o.MinSize,
			waits:    waits{standard: o.MaxWait, mirror: o.MirrorWait, limit: o.MaxWaitLimit, chain: o.Chain},
			limits:   limits{clientOf: o.ClientOf, answer: o.AtLimit},
			entries:  o.Entries,
			flights:  o.Flights,
			bypasses: o.Bypasses,
			known:    newKnown(o.CacheEntries, o.CacheMemory),
			metrics:  metrics,
			log:      o.Log,
			spans:    spans{o.Tracer},
			sampled:  newRedirectLog(o.Log, o.LogSample),
			now:      time.Now,
		},
	}
	s.mirrors = &mirrors{redirects: s.redirects, upstreams: o.Upstreams}
	s.guard = conns.New(conns.Options{
		Max: o.MaxConns, MaxPerClient: o.MaxConnsPerClient, Timeout: o.ClientTimeout,
		Longest: o.MaxWaitLimit + answerGrace, Registry: o.Registry,
	})
	if most := s.guard.Max(); most < o.MaxConns {
		o.Log.Warn().Int("max_conns", most).Msg("the limit of open files permits fewer connections than configured")
	}
	s.router = s.routes(
		&statuses{paths: paths, tokens: tokens, entries: o.Entries, flights: o.Flights, metrics: metrics},
		newLists(paths, o, tokens, metrics),
		&purges{paths: paths, flights: o.Flights, metrics: metrics, tokens: tokens, log: o.Log, spans: spans{o.Tracer}},
	)
	return s
}

// ServeHTTP serves everything that clients see.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Content-Type-Options"] = noSniff // On every answer.
	if r.Header["Origin"] != nil {
		allowOrigin(w.Header())
	}
	if r.ContentLength != 0 { // It is -1 for chunks.
		// A proxy in front can disagree about the end of a body with both a length and chunks, which
		// net/http accepts. No byte behind a body is parsed as a request.
		w.Header().Set("Connection", "close")
		if !takesBody(r) {
			s.refuseBody(w, identify(w, r))
			return
		}
	}
	if via := r.Header[loopHeader]; via != nil && loops(via, s.loopID) {
		s.refuseLoop(w, identify(w, r))
		return
	}
	if !s.redirects.serveKnown(w, r) {
		s.router.ServeHTTP(w, identify(w, r))
	}
}

// identify gives the request an id, unless it has one, and the answer the id's header.
func identify(w http.ResponseWriter, r *http.Request) *http.Request {
	id := requestid.From(r.Context())
	if id == "" {
		id = requestid.Of(r.Header)
		r = r.WithContext(requestid.With(r.Context(), id))
	}
	w.Header()[requestid.Header] = []string{id}
	return r
}

func (s *Server) routes(statuses *statuses, lists *lists, purges *purges) http.Handler {
	r := httprouter.New()
	// Both would answer 301 with a rewritten URL, but the URL in the path must arrive unchanged.
	r.RedirectTrailingSlash, r.RedirectFixedPath = false, false
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.Handle(method, "/v1/redirect/:service/:region/*url", s.redirects.redirect)
		r.Handle(method, mirrorPrefix+":service/:region/*target", s.mirrors.mirror)
		r.Handle(method, "/v1/status/:service/:region/*url", statuses.serve)
		r.Handle(method, "/v1/ping", s.withoutQuery(s.ping))
		r.Handle(method, "/v1/api-reference", s.withoutQuery(apiReference))
	}
	r.DELETE("/v1/purge/:service/:region/*url", purges.serve)
	r.POST(copiesPath, lists.serve)
	r.GlobalOPTIONS = http.HandlerFunc(preflight)
	r.NotFound = fail(codeNotFound, "No such resource, see /v1/api-reference")
	r.MethodNotAllowed = fail(codeMethod, "Method not allowed here, see the Allow header")
	return escapedPath(r)
}

// escapedPath makes the router match the path as it was sent. By default it matches the decoded
// path, in which the slashes of an encoded URL separate path segments.
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
		Uptime float64 `json:"uptime"` // Seconds.
	}{true, time.Since(s.started).Seconds()})
}

// Ready fails while the front end is shutting down, and from [Server.Drain] on. It doesn't depend on
// redis, SQS or S3: the front end has an answer without them.
func (s *Server) Ready() error {
	if s.draining.Load() || s.flights.Stopping() {
		return errors.New("shutting down")
	}
	return nil
}

// Drain makes Ready fail, so that load balancers send no more clients. Those that come are served.
func (s *Server) Drain() { s.draining.Store(true) }

// ConnMemory is the memory that a connection takes, in bytes: its buffers and its goroutine, and those
// of a request that waits.
const ConnMemory = 20 << 10

// Conns returns the number of clients' open connections.
func (s *Server) Conns() int { return s.guard.Open() }

// answerGrace is the time limit of a request, besides its wait.
const answerGrace = time.Minute

// shutdownGrace is how long a stopping front end waits for requests in flight.
const shutdownGrace = 10 * time.Second

// Run serves clients on l until ctx is cancelled. Then it redirects waiting clients to their source
// and lets requests in flight finish.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// There is no WriteTimeout, which costs a hit 3 %. The guard closes connections that make
		// no progress. There is no ReadTimeout: only lists have a body, and they set their own
		// deadlines.
		MaxHeaderBytes: 64 << 10,
		// net/http's own answer to OPTIONS * reads a body without a deadline.
		DisableGeneralOptionsHandler: true,
	}
	ended := make(chan error, 1)
	go func() { ended <- s.guard.Serve(srv, l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.flights.Stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	err := srv.Shutdown(grace)
	s.flights.Drain()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
