package frontend

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// statusBody is what is known of a copy.
type statusBody struct {
	Status cache.State `json:"status"`
	// Done and Total are a pending copy's bytes. They are left out where they are not known.
	Done  *int64 `json:"done,omitempty"`
	Total *int64 `json:"total,omitempty"`
	// Error and HTTPStatus are a failed copy's class, and the source's status if that is what failed it. Retried says that
	// the next request after some seconds tries again.
	Error      string `json:"error,omitempty"`
	HTTPStatus int    `json:"httpStatus,omitempty"`
	Retried    *bool  `json:"retried,omitempty"`
}

// absentStatus is what clients are told of objects of which nothing is known.
const absentStatus cache.State = "absent"

// status tells where an object stands, and asks for nothing. What redis does not know, the bucket may have.
func (s *Server) status(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	p, _, located := s.locate(w, r, p)
	if !located {
		s.refuse(w, problem(codeNotFound, "The region that you call from is not known"))
		return
	}
	objects, err := s.objects(p, false)
	if err != nil {
		s.refuse(w, err)
		return
	}
	t := newTarget(s.pools[objects[0].PoolID()], objects[0])
	entry, err := s.cache.Get(r.Context(), t.key)
	if err != nil || entry.State == cache.Absent {
		if found, ok := s.backfill(r.Context(), t, err == nil); ok {
			entry = found
		}
	}
	writeJSON(w, http.StatusOK, statusOfEntry(entry))
}

func statusOfEntry(e cache.Entry) statusBody {
	switch e.State {
	case cache.Present:
		return statusBody{Status: cache.Present}
	case cache.Pending:
		b := statusBody{Status: cache.Pending, Done: &e.Done}
		if e.Total >= 0 {
			b.Total = &e.Total
		}
		return b
	case cache.Error:
		retried := !e.Permanent
		return statusBody{Status: cache.Error, Error: e.Class, HTTPStatus: e.Status, Retried: &retried}
	default:
		return statusBody{Status: absentStatus}
	}
}
