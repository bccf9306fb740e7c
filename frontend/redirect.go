package frontend

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// askGrace is how long a client whose wait is over still waits for the copy to be asked for.
const askGrace = 700 * time.Millisecond

// client is one redirect request.
type client struct {
	*target
	wish
	method string
	path   string // as it was sent, without the query
	start  time.Time
}

// serveKnown answers for a target that was worked out before, without the router: the path says all that it would find.
func (s *Server) serveKnown(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	t, ok := s.targets.get(path)
	if ok {
		s.serve(w, r, t, path)
	}
	return ok
}

// redirect answers for a target that is met for the first time, or was forgotten.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	p, auto, located := s.locate(w, r, p)
	if !located {
		s.redirectUnlocated(w, r, p)
		return
	}
	objects, err := s.objects(p, false)
	if err != nil {
		s.refuse(w, err)
		return
	}
	o := objects[0]
	t := newTarget(s.pools[o.PoolID()], o)
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if !auto { // which names another region for another client
		s.targets.keep(path, t)
	}
	s.serve(w, r, t, path)
}

func (s *Server) refuse(w http.ResponseWriter, err error) {
	s.metrics.refused(err)
	writeError(w, err)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, t *target, path string) {
	c := client{target: t, method: r.Method, path: path, start: s.now()}
	var err error
	if c.wish, err = s.wish(r); err != nil {
		s.refuse(w, err)
		return
	}
	if c.preferred {
		w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(c.wait/time.Second)))
	}
	var cacheErr error
	entry, known := s.cache.Remembered(t.key, c.start)
	if !known {
		entry, cacheErr = s.cache.Get(r.Context(), t.key)
	}
	d := decide(situation{Entry: entry, FirstLook: true, WaitOver: c.wait == 0, Stopping: s.isStopping()})
	if known {
		s.answer(r.Context(), w, &c, entry, d, c.start) // no time has passed
		return
	}
	if cacheErr != nil || d.Status == 0 || d.Enqueue {
		entry, d = s.await(r.Context(), &c)
	}
	s.answer(r.Context(), w, &c, entry, d, s.now())
}

// await waits with the object's flight until there is an answer or the client's wait is over.
func (s *Server) await(ctx context.Context, c *client) (cache.Entry, decision) {
	now := situation{Entry: cache.Entry{State: cache.Pending}, ComesBack: c.rest > 0}
	f, leave, ok := s.join(c)
	if !ok {
		now.Full = true
		return now.Entry, decide(now)
	}
	defer leave()
	s.metrics.waiting.Inc()
	defer s.metrics.waiting.Dec()

	timer := time.NewTimer(c.start.Add(c.wait).Sub(s.now()))
	defer timer.Stop()
	select {
	case <-f.done:
	case <-ctx.Done():
		now.Gone = true
	case <-s.stopping:
		now.Stopping = true
	case <-timer.C:
		now.WaitOver = true
		// Even a client that does not wait must have asked for the copy.
		grace := time.NewTimer(askGrace)
		defer grace.Stop()
		select {
		case <-f.asked:
		case <-f.done:
		case <-grace.C:
		}
	}
	select {
	case <-f.done:
		now.Entry, now.QueueDown = f.entry, f.queueDown
		now.FirstLook = !f.waited
	default:
	}
	return now.Entry, decide(now)
}

// answer writes what was decided. A copy that can't be signed for is answered with the source.
func (s *Server) answer(ctx context.Context, w http.ResponseWriter, c *client, e cache.Entry, d decision, now time.Time) {
	var copied *hit
	if d.To == toCopy {
		var err error
		if copied, err = c.hit(ctx, c.method, e.Expires, now); err != nil {
			s.log.Error().Err(err).Str("pool", c.pool.ID()).Msg("no location, client is sent to the source")
			d.To, d.Reason = toSource, reasonFailed
		}
	}
	took := now.Sub(c.start)
	s.metrics.answered(c.pool.ID(), d.Reason, took)
	if event := s.redirectLog.event(); event.Enabled() {
		event.Str("object", c.object.Key()).Str("pool", c.pool.ID()).Str("reason", string(d.Reason)).
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
		h["Location"], h["Content-Type"], h["Cache-Control"] = copied.location, contentType, noStore
		w.WriteHeader(d.Status)
		_, _ = io.WriteString(w, copied.body) // the client is gone, if this fails
	case toSource:
		h.Set("Location", c.object.URL)
		writeJSON(w, d.Status, sourceRedirectBody{URL: c.object.URL, Msg: s.why(c, e, d.Reason)})
	case toSelf:
		again := c.again()
		h.Set("Location", again)
		writeJSON(w, d.Status, sourceRedirectBody{URL: again, Msg: "Cached copy is still being made, ask again"})
	case nowhere:
		writeError(w, sourceProblem(d, e))
	}
}

// Values of Cache-Status (RFC 9211), as header maps have them.
var (
	statusHit  = []string{"cloud-mirror; hit"}
	statusMiss = []string{"cloud-mirror; fwd=miss"}
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

// why tells a client roughly why it is sent to the source. The entry's text is for operators alone.
func (s *Server) why(c *client, e cache.Entry, r reason) string {
	switch r {
	case reasonNoQueue:
		return "Cached copy could not be requested"
	case reasonStop:
		return "This front end is shutting down"
	case reasonFailed:
		return "Object could not be copied: " + e.Class
	default:
		return "Cached copy did not show up in " + c.asked.String()
	}
}

func sourceProblem(d decision, e cache.Entry) error {
	switch d.Reason {
	case reasonRefused:
		return problem(codeInvalidURL, "The URL, or a hop of its redirects, is not allowed")
	case reasonFull:
		return problem(codeUnavailable, "Too many clients wait for copies, try again")
	default:
		return &requestError{code: code(e.Class), status: d.Status, text: "Unexpected HTTP Status: " + strconv.Itoa(e.Status)}
	}
}
