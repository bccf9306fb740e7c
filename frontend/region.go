package frontend

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

const (
	// autoRegion in a path is the region that the client calls from.
	autoRegion = "auto"
	// regionHeader says which one that is.
	regionHeader = "Cloud-Mirror-Region"
)

// locate puts the client's own region in the place of auto, and says so in a header. The result is false if it is not
// known; without a table auto is a region like any other that is not configured.
func (s *Server) locate(w http.ResponseWriter, r *http.Request, p httprouter.Params) (_ httprouter.Params, auto, ok bool) {
	if s.regionOf == nil || p.ByName("region") != autoRegion {
		return p, false, true
	}
	region, ok := s.regionOf(r)
	if !ok {
		return p, true, false
	}
	w.Header().Set(regionHeader, region)
	located := make(httprouter.Params, len(p))
	copy(located, p)
	for i := range located {
		if located[i].Key == "region" {
			located[i].Value = region
		}
	}
	return located, true, true
}

// redirectUnlocated sends a client whose region is not known to the source.
func (s *Server) redirectUnlocated(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	canonical, err := s.source(p)
	if err == nil {
		_, err = s.wish(r)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	d := decide(situation{Entry: cache.Entry{}, Unlocated: true})
	s.metrics.answered(noPool, d.Reason, 0)
	w.Header()["Cache-Status"] = statusMiss
	w.Header().Set("Location", canonical)
	writeJSON(w, d.Status, sourceRedirectBody{URL: canonical, Msg: "The region that you call from is not known"})
}
