package frontend

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// redirects serves /v1/redirect. Its serve answers for /v1/mirror as well.
type redirects struct {
	paths    paths
	minSize  int64 // Of /v1/redirect
	waits    waits
	limits   limits
	entries  Entries
	flights  *flight.Group
	bypasses *cache.Bypasses
	known    known
	kinds    kinds
	metrics  metrics
	log      zerolog.Logger
	spans    spans
	sampled  redirectLog
	now      func() time.Time
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
	target.MinSize = s.minSize
	if params, valid := s.params(w, r); valid { // An invalid request is never kept.
		path, _, _ := strings.Cut(originForm(r), "?")
		of := s.kinds.of(kindID{Kind: target.Kind, copies: s.metrics.copyCounters(target)}, s.paths.sourceOf)
		s.serve(w, r, s.known.add(path, of, target, nil, auto), target, path, params)
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
