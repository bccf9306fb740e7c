package frontend

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// redirects serves /v1/redirect.
type redirects struct {
	paths   paths
	waits   waits
	limits  limits
	entries Entries
	flights *flight.Group
	known   known
	metrics metrics
	log     zerolog.Logger
	sampled redirectLog
	now     func() time.Time
}

// redirectRequest is one redirect request.
type redirectRequest struct {
	*knownTarget
	params
	method string
	path   string // As it was sent, without the query.
	start  time.Time
	// refused is set if the request reached a limit.
	refused *flight.LimitError
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
	path := r.RequestURI
	mirror := strings.HasPrefix(path, mirrorPrefix)
	if !mirror {
		path, _, _ = strings.Cut(path, "?")
	}
	t, ok := s.known.get(path)
	switch {
	case !ok:
	case mirror:
		s.serve(w, r, t, path, s.waits.mirrorParams(r, t.mirror.sha256))
	default:
		if params, valid := s.params(w, r); valid {
			s.serve(w, r, t, path, params)
		}
	}
	return ok
}

// redirect serves a path that is new, or was evicted.
func (s *redirects) redirect(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	target, auto, err := s.paths.target(w, r, p)
	if errors.Is(err, errUnlocated) {
		s.redirectUnlocated(w, r, p)
		return
	}
	if err != nil {
		refuse(w, s.metrics, err)
		return
	}
	if params, valid := s.params(w, r); valid { // An invalid request is never kept.
		path, _, _ := strings.Cut(r.RequestURI, "?")
		s.serve(w, r, s.known.add(path, &knownTarget{Target: target, copies: s.metrics.copyCounters(target)}, auto), path, params)
	}
}

// params returns the parameters of a request, or refuses them.
func (s *redirects) params(w http.ResponseWriter, r *http.Request) (p params, valid bool) {
	p, err := s.waits.params(r)
	if err != nil {
		refuse(w, s.metrics, err)
	}
	return p, err == nil
}

// redirectUnlocated redirects a client whose region is unknown to the source.
func (s *redirects) redirectUnlocated(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	canonical, err := s.paths.source(p)
	if err == nil {
		_, err = s.waits.params(r)
	}
	if err != nil {
		refuse(w, s.metrics, err)
		return
	}
	d := decide(situation{Unlocated: true})
	s.metrics.answered(noPool, d.Reason, 0)
	w.Header()["Cache-Status"] = statusMiss
	w.Header().Set("Location", canonical)
	writeJSON(w, d.Status, sourceRedirectBody{URL: canonical, Msg: errUnlocated.text})
}

func (s *redirects) serve(w http.ResponseWriter, r *http.Request, t *knownTarget, path string, p params) {
	c := redirectRequest{knownTarget: t, params: p, method: r.Method, path: path, start: s.now()}
	if c.preferred {
		w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(c.wait/time.Second)))
	}
	var redisErr error
	entry, remembered := s.entries.Remembered(t.Key, c.start)
	if !remembered {
		entry, redisErr = s.entries.Get(r.Context(), t.Key)
	}
	entry = entry.For(t.MinSize)
	d := decide(situation{
		Entry: entry, Mirror: t.mirror != nil, FirstLook: true, WaitOver: c.wait == 0, InVain: flight.InVain(entry, c.start.Add(c.total)),
		OtherDigest: entry.HasOtherDigest(c.digest), Stopping: s.flights.Stopping(),
	})
	now := c.start
	if redisErr != nil || d.Status == 0 || d.Request {
		entry, d = s.await(r, &c, entry.State == cache.Absent)
		remembered = false
	}
	if !remembered { // Otherwise no time has passed.
		now = s.now()
	}
	s.answer(r.Context(), w, &c, entry, d, now)
}

// await waits for the copy and decides again. cold is set if no entry is known.
func (s *redirects) await(r *http.Request, c *redirectRequest, cold bool) (cache.Entry, decision) {
	ctx, stop := conns.Watch(r.Context())
	defer stop()
	wait := flight.Wait{Until: c.start.Add(c.wait), Chain: c.rest, Client: s.limits.clientOf(r), Cold: cold}
	out := s.flights.Await(ctx, c.Target, c.digest, wait)
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

// answer writes the decision. If a copy's URL can't be presigned, it redirects to the source.
func (s *redirects) answer(
	ctx context.Context, w http.ResponseWriter, c *redirectRequest, e cache.Entry, d decision, now time.Time,
) {
	var copied *copyAnswer
	var headers http.Header
	if d.To == toCopy && c.mirror != nil && c.method == http.MethodHead {
		var err error
		if headers, err = c.mirror.head.of(ctx, c.Target, e, now); err != nil {
			s.log.Warn().Err(err).Str("pool", c.Pool.ID()).Msg("headers of a copy not read; redirecting to the source")
			s.flights.Served(c.Target, e, now) // The copy may be missing.
			d.To, d.Reason = toSource, reasonFailed
		}
	} else if d.To == toCopy {
		var err error
		if copied, err = c.answers.prepare(ctx, c.Target, c.method, e.Expires, now); err != nil {
			s.log.Error().Err(err).Str("pool", c.Pool.ID()).Msg("presign failed; redirecting to the source")
			d.To, d.Reason = toSource, reasonFailed
		}
	}
	if d.Reason == reasonLimited {
		s.metrics.reachedLimit(c.refused.Limit)
	}
	took := now.Sub(c.start)
	s.metrics.answered(c.Pool.ID(), d.Reason, took)
	if event := s.sampled.event(); event.Enabled() {
		event.Str("object", c.Object.Key()).Str("pool", c.Pool.ID()).Str("reason", string(d.Reason)).
			Int("status", d.Status).Dur("took_ms", took).Msg("redirect")
	}
	h := w.Header()
	if d.Reason == reasonHit {
		h["Cache-Status"] = statusHit
	} else {
		h["Cache-Status"] = statusMiss
	}
	switch d.To {
	case toCopy:
		if headers != nil {
			writeHead(w, headers)
			s.flights.Served(c.Target, e, now)
			return
		}
		h["Location"], h["Content-Type"], h["Cache-Control"] = copied.location, contentType, noStore
		w.WriteHeader(d.Status)
		_, _ = io.WriteString(w, copied.body) // An error means that the client is gone.
		if c.method == http.MethodGet {       // A HEAD transfers no object.
			c.copies.redirected(e.Size)
		}
		s.flights.Served(c.Target, e, now)
	case toSource:
		h.Set("Location", c.Object.URL)
		writeJSON(w, d.Status, sourceRedirectBody{URL: c.Object.URL, Msg: why(d.Reason, e, c)})
	case toSelf:
		again := c.path + c.chained()
		h.Set("Location", again)
		writeJSON(w, d.Status, sourceRedirectBody{URL: again, Msg: "Cached copy is still being made, ask again"})
	case nowhere:
		writeError(w, problemOf(d, e, c))
	}
}

// Values of Cache-Status (RFC 9211), as header maps hold them.
var (
	statusHit  = []string{"cloud-mirror; hit"}
	statusMiss = []string{"cloud-mirror; fwd=miss"}
	// statusBypass is for what is never copied.
	statusBypass = []string{"cloud-mirror; fwd=bypass"}
	// statusNoRegion explains to an operator why a client never gets a copy.
	statusNoRegion = []string{`cloud-mirror; fwd=bypass; detail="unknown service or region"`}
)

type (
	copyBody struct {
		Status cache.State `json:"status"`
		URL    string      `json:"url"`
	}
	sourceRedirectBody struct {
		URL string `json:"url"`
		Msg string `json:"msg"`
	}
)

// why tells a client roughly why it is redirected to the source. The entry's text is for operators.
func why(r reason, e cache.Entry, c *redirectRequest) string {
	switch r {
	case reasonLimited:
		return limitText(c.refused.Limit)
	case reasonNoQueue:
		return "Cached copy could not be requested"
	case reasonStop:
		return "This front end is shutting down"
	case reasonSmall:
		return "Object is smaller than the minimum of its upstream"
	case reasonDigest:
		return "Cached copy has another SHA-256 than this request expects"
	case reasonFailed, reasonSource, reasonRefused: // The mirror route redirects all of them.
		if e.State == cache.Present {
			return "Cached copy could not be presigned"
		}
		if e.Status != 0 {
			return "Object could not be copied: " + e.Class + " " + strconv.Itoa(e.Status)
		}
		return "Object could not be copied: " + e.Class
	default:
		return "Cached copy did not show up in " + c.total.String()
	}
}

func problemOf(d decision, e cache.Entry, c *redirectRequest) error {
	switch d.Reason {
	case reasonRefused:
		return problem(codeInvalidURL, "The URL, or a hop of its redirects, is not allowed")
	case reasonLimited:
		return limitProblem(d.Status, c.refused)
	default:
		return &requestError{code: code(e.Class), status: d.Status, text: "Unexpected HTTP Status: " + strconv.Itoa(e.Status)}
	}
}
