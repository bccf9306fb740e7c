package frontend

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// purges serves /v1/purge.
type purges struct {
	paths   paths
	flights *flight.Group
	metrics metrics
	token   bearerToken
	log     zerolog.Logger
}

// serve purges the object from every pool in the path. A failure in one pool doesn't stop the
// others; the client repeats a purge that failed.
func (s *purges) serve(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	if !s.token.allows(r) {
		writeError(w, problem(codeUnauthn, "A purge needs the bearer token"))
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
	var failed error
	for _, t := range targets {
		if err := s.flights.Purge(r.Context(), t); err != nil {
			s.log.Error().Err(err).Str("pool", t.Pool.ID()).Str("object", t.Object.Key()).Msg("purge failed")
			failed = err
			continue
		}
		s.log.Info().Str("pool", t.Pool.ID()).Str("object", t.Object.Key()).Msg("purged")
	}
	if failed != nil {
		writeError(w, failed)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
