package frontend

import (
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/frontend/token"
)

// purges serves /v1/purge.
type purges struct {
	paths   paths
	flights *flight.Group
	metrics metrics
	tokens  tokens
	log     zerolog.Logger
	spans   spans
}

// deferredBody is the answer to a purge that a workflow finishes.
type deferredBody struct {
	Msg string `json:"msg"`
	// Pools are the ids of the pools with unfinished purges.
	Pools []string `json:"pools"`
}

// serve purges the object from every pool in the path. A failure in one pool doesn't stop the
// others; the client repeats a purge that failed.
func (s *purges) serve(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	name, err := s.tokens.authorize(r, token.Purge, "A purge needs a bearer token with the scope purge")
	if err != nil {
		writeError(w, err)
		return
	}
	targets, err := s.paths.targets(p)
	if err == nil {
		err = strayQuery(r)
	}
	if err != nil {
		refuse(w, s.metrics, err)
		return
	}
	r, span := s.spans.start(r, "/v1/purge", time.Now())
	defer span.End()
	var failed error
	var deferred []string
	for _, t := range targets {
		log := s.log.With().Str(requestid.Field, requestid.From(r.Context())).
			Str("pool", t.Pool.ID()).Str("object", t.Object.Key()).Str("token", name).Logger()
		later, err := s.flights.Purge(r.Context(), t)
		switch {
		case err != nil:
			log.Error().Err(err).Msg("purge failed")
			failed = err
		case later:
			log.Info().Msg("purge left to a workflow")
			deferred = append(deferred, t.Pool.ID())
		default:
			log.Info().Msg("purged")
		}
	}
	if failed != nil {
		writeError(w, failed)
		return
	}
	if len(deferred) > 0 {
		writeJSON(w, http.StatusAccepted, deferredBody{Msg: "The purge could not be finished, and a workflow finishes it", Pools: deferred})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
