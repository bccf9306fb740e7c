package frontend

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// purgeTimeout bounds the purge of one object.
const purgeTimeout = 10 * time.Second

func (s *Server) purge(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	if !s.authorized(r) {
		writeError(w, problem(codeUnauthn, "A purge needs the bearer token"))
		return
	}
	objects, err := s.objects(p, true)
	if err != nil {
		writeError(w, err)
		return
	}
	var failed error
	for _, o := range objects {
		if err := s.purgeObject(r.Context(), o); err != nil {
			s.log.Error().Err(err).Str("pool", o.PoolID()).Str("object", o.Key()).Msg("purge")
			failed = err
			continue
		}
		s.metrics.purges.WithLabelValues(o.PoolID()).Inc()
		s.log.Info().Str("pool", o.PoolID()).Str("object", o.Key()).Msg("purged")
	}
	if failed != nil {
		// A purge can be repeated, so one that is half done is no harm.
		writeError(w, failed)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// authorized compares digests, so that the time it takes says nothing about the token.
func (s *Server) authorized(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.purgeToken))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && s.purgeToken != "" && strings.EqualFold(scheme, "Bearer")
}

// purgeObject removes an object from the cache and the bucket and cancels its copy. The first new generation keeps the
// copy under way from publishing, and readers from finding the old object in the bucket; the second one does so for
// copies that were begun between the first and the deletion, which may have deleted their object.
func (s *Server) purgeObject(ctx context.Context, o storage.Object) error {
	// Once begun it is finished, whether or not the client stays.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	key := cache.Key(o.PoolID(), o.Hash())
	generation, err := s.cache.Purge(ctx, key)
	if err != nil {
		return err
	}
	cancelCopy := queue.Request{Pool: o.PoolID(), URL: o.URL, Action: queue.Cancel, Generation: generation}
	if err := s.queue.Send(ctx, cancelCopy); err != nil {
		return fmt.Errorf("cancel the running copy: %w", err)
	}
	if err := s.pools[o.PoolID()].Bucket.Delete(ctx, o.Key()); err != nil {
		return err
	}
	_, err = s.cache.Purge(ctx, key)
	return err
}
