package frontend

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// askGrace is how long a client whose wait is over still waits for the copy to be asked for.
const askGrace = 900 * time.Millisecond

// client is one redirect request.
type client struct {
	method string
	pool   *Pool
	object storage.Object
	key    string
	digest string // the SHA-256 that a copy which this request starts must have; empty if any will do
	wait   time.Duration
	start  time.Time
}

func (s *Server) redirect(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	c, err := s.client(r, p)
	if err != nil {
		s.metrics.refused(err)
		writeError(w, err)
		return
	}
	entry, cacheErr := s.cache.Get(r.Context(), c.key)
	d := decide(situation{Entry: entry, MaxWait: c.wait, Stopping: s.isStopping()})
	if cacheErr != nil || d.Status == 0 || d.Enqueue {
		entry, d = s.await(r.Context(), c)
	}
	// A client that is gone is answered too: one that only closed its side of the connection looks the same.
	s.answer(context.WithoutCancel(r.Context()), w, c, entry, d)
}

func (s *Server) client(r *http.Request, p httprouter.Params) (client, error) {
	objects, err := s.objects(p, false)
	if err != nil {
		return client{}, err
	}
	wait, digest, err := s.query(r)
	if err != nil {
		return client{}, err
	}
	o := objects[0]
	return client{
		method: r.Method,
		pool:   s.pool(o),
		object: o,
		key:    cache.Key(o.PoolID(), o.Hash()),
		digest: digest,
		wait:   wait,
		start:  s.now(),
	}, nil
}

func (s *Server) pool(o storage.Object) *Pool {
	for _, p := range s.pools {
		if p.ID() == o.PoolID() {
			return p
		}
	}
	return nil
}

// await waits with the object's flight until there is an answer or the client's wait is over.
func (s *Server) await(ctx context.Context, c client) (cache.Entry, decision) {
	f, leave := s.join(c)
	defer leave()
	s.metrics.waiting.Inc()
	defer s.metrics.waiting.Dec()

	timer := time.NewTimer(c.wait)
	defer timer.Stop()
	now := situation{Entry: cache.Entry{State: cache.Pending}, MaxWait: c.wait, Waited: 1}
	select {
	case <-f.done:
	case <-ctx.Done():
		now.Gone = true
	case <-s.stopping:
		now.Stopping = true
	case <-timer.C:
		now.Waited = max(c.wait, 1)
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
		if !f.waited {
			now.Waited = 0
		}
	default:
	}
	return now.Entry, decide(now)
}

// answer writes what was decided. A copy that can't be signed for is answered with the source.
func (s *Server) answer(ctx context.Context, w http.ResponseWriter, c client, e cache.Entry, d decision) {
	location := c.object.URL
	if d.To == toCopy {
		var err error
		location, err = c.pool.Bucket.Location(ctx, c.method, c.object.Key(), e.Expires)
		if err != nil {
			s.log.Error().Err(err).Str("pool", c.pool.ID()).Msg("no location, client is sent to the source")
			location, d.To, d.Reason = c.object.URL, toSource, reasonFailed
		}
	}
	took := s.now().Sub(c.start)
	s.metrics.answered(c.pool.ID(), d.Reason, took)
	s.log.Debug().Str("object", c.object.Key()).Str("pool", c.pool.ID()).Str("reason", string(d.Reason)).
		Int("status", d.Status).Dur("took_ms", took).Msg("redirect")

	if d.Reason == reasonHit {
		w.Header().Set("Cache-Status", "cloud-mirror; hit")
	} else {
		w.Header().Set("Cache-Status", "cloud-mirror; fwd=miss")
	}
	switch d.To {
	case toCopy:
		w.Header().Set("Location", location)
		writeJSON(w, d.Status, copyBody{Status: cache.Present, URL: location})
	case toSource:
		w.Header().Set("Location", location)
		writeJSON(w, d.Status, sourceRedirectBody{URL: location, Msg: s.why(c, e, d.Reason)})
	case nowhere:
		writeError(w, sourceProblem(d, e))
	}
}

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
func (s *Server) why(c client, e cache.Entry, r reason) string {
	switch r {
	case reasonNoQueue:
		return "Cached copy could not be requested"
	case reasonStop:
		return "This front end is shutting down"
	case reasonFailed:
		return "Object could not be copied: " + e.Class
	default:
		return "Cached copy did not show up in " + c.wait.String()
	}
}

func sourceProblem(d decision, e cache.Entry) error {
	if d.Reason == reasonRefused {
		return problem(codeInvalidURL, "The URL, or a hop of its redirects, is not allowed")
	}
	return &requestError{code: code(e.Class), status: d.Status, text: "Unexpected HTTP Status: " + strconv.Itoa(e.Status)}
}
