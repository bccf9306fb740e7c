package frontend

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
)

const (
	// waitGrace is how long after a client's wait its answer may come. All steps of the request
	// share it: redis, the bucket, the queue, and credentials.
	waitGrace = 900 * time.Millisecond
	// firstRead bounds the first read of redis. A longer read may wait for a free connection. The
	// flight then reads again, and the grace still has the time to request the copy.
	firstRead = 150 * time.Millisecond
)

// redirectRequest is one redirect request.
type redirectRequest struct {
	*knownTarget
	params
	resolved *flight.Target // See target.

	method string
	path   string // As it was sent, without the query.
	start  time.Time
	// refused is set if the request reached a limit.
	refused *flight.LimitError
}

// target returns the target of the request. A known path is resolved again, once.
func (c *redirectRequest) target() (*flight.Target, error) {
	if c.resolved != nil {
		return c.resolved, nil
	}
	var err error
	c.resolved, err = c.Target()
	return c.resolved, err
}

// left returns the time that is left for the answer.
func (c *redirectRequest) left(now time.Time) time.Duration {
	return c.start.Add(c.wait + waitGrace).Sub(now)
}

// limits is the front end's part of the limits: the client's identity, and the answer at a limit.
type limits struct {
	clientOf func(*http.Request) netip.Addr
	answer   AtLimit
}

// serveKnown serves a path that was redirected lately, without the router. It returns false for any
// other request.
func (s *redirects) serveKnown(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	path := originForm(r)
	mirror := strings.HasPrefix(path, mirrorPrefix)
	if !mirror {
		path, _, _ = strings.Cut(path, "?")
	}
	t, ok := s.known.get(path)
	switch {
	case !ok:
	case mirror:
		s.serve(w, r, t, nil, path, s.waits.mirrorParams(r, t.mirror.sha256))
	default:
		if params, valid := s.params(w, r); valid {
			s.serve(w, r, t, nil, path, params)
		}
	}
	return ok
}

// serve answers a request. The target is nil unless the router has just resolved the path.
func (s *redirects) serve(
	w http.ResponseWriter, r *http.Request, t *knownTarget, target *flight.Target, path string, p params,
) {
	c := redirectRequest{knownTarget: t, resolved: target, params: p, method: r.Method, path: path, start: s.now()}
	if c.preferred {
		w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(c.wait/time.Second)))
	}
	if s.bypasses.Any() {
		switch bypassed, err := s.bypassed(&c); {
		case err != nil:
			refuse(w, s.metrics, err)
			return
		case bypassed:
			r = identify(w, r)
			s.answer(w, r, &c, cache.Entry{}, decide(situation{Bypassed: true, Mirror: t.mirror != nil}), c.start)
			return
		}
	}
	var redisErr error
	entry, remembered := s.entries.Remembered(t.key, c.start)
	if !remembered {
		ctx, cancel := context.WithTimeout(r.Context(), firstRead)
		entry, redisErr = s.entries.Get(ctx, t.key)
		cancel()
	}
	entry = entry.For(t.kind.MinSize)
	d := decide(situation{
		Entry: entry, Mirror: t.mirror != nil, FirstLook: true, WaitOver: c.wait == 0, InVain: flight.InVain(entry, c.start.Add(c.total)),
		OtherDigest: entry.HasOtherDigest(c.digest), Stopping: s.flights.Stopping(),
	})
	if redisErr != nil || d.Reason != reasonHit {
		s.serveOther(w, r, &c, entry, d, redisErr)
		return
	}
	if target != nil { // Only the router gave it an id.
		w.Header().Del(requestid.Header)
	}
	now := c.start
	if !remembered { // Otherwise no time has passed.
		now = s.now()
	}
	s.answer(w, r, &c, entry, d, now)
}

// serveOther answers a request that is no hit: it has an id and a span.
func (s *redirects) serveOther(
	w http.ResponseWriter, r *http.Request, c *redirectRequest, entry cache.Entry, d decision, redisErr error,
) {
	r = identify(w, r)
	r, span := s.spans.start(r, c.route(), c.start)
	defer span.End()
	if redisErr != nil || d.Status == 0 || d.Request {
		awaited, err := c.target()
		if err != nil {
			refuse(w, s.metrics, err)
			return
		}
		entry, d = s.await(r, c, awaited, entry.State == cache.Absent)
	}
	describe(span, c, d)
	s.answer(w, r, c, entry, d, s.now())
}

// route returns the route of the request, without its variable part.
func (c *redirectRequest) route() string {
	if c.mirror != nil {
		return "/v1/mirror"
	}
	return "/v1/redirect"
}

// bypassed reports whether an operator has switched off copies of the request's object.
func (s *redirects) bypassed(c *redirectRequest) (bool, error) {
	target, err := c.target()
	if err != nil {
		return false, err
	}
	return s.bypasses.Covers(c.kind.Pool.ID(), target.Object.URL, c.start), nil
}

// await waits for the copy of a target and decides again. cold is set if no entry is known.
func (s *redirects) await(r *http.Request, c *redirectRequest, target *flight.Target, cold bool) (cache.Entry, decision) {
	ctx, stop := conns.Watch(r.Context())
	defer stop()
	wait := flight.Wait{Until: c.start.Add(c.wait), Chain: c.rest, Client: s.limits.clientOf(r), Cold: cold}
	out := s.flights.Await(ctx, target, c.digest, wait)
	limit := flight.None
	if c.refused = out.Refused; c.refused != nil {
		limit = c.refused.Limit
	}
	return out.Entry, decide(situation{
		Entry:       out.Entry,
		Mirror:      c.mirror != nil,
		OtherDigest: out.Entry.HasOtherDigest(c.digest),
		FirstLook:   out.FirstLook,
		InVain:      out.InVain,
		WaitOver:    out.TimedOut,
		ComesBack:   c.rest > 0,
		Limit:       limit,
		AtLimit:     s.limits.answer,
		QueueDown:   out.QueueDown,
		Stopping:    out.Stopping,
		Gone:        out.Gone,
	})
}
