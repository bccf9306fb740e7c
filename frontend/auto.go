package frontend

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
)

const (
	// autoRegion in a path means the region that the client calls from.
	autoRegion = "auto"
	// regionHeader carries the region that auto was resolved to.
	regionHeader = "Cloud-Mirror-Region"
)

// errUnlocated refuses a client that asked for its own region, which is unknown.
var errUnlocated = problem(codeNotFound, "The region that you call from is not known")

// region returns the region in a path. It resolves auto to the client's own region and sets a
// header with it. Without regionOf, auto is a region like any other, and no pool has it.
func (p *paths) region(w http.ResponseWriter, r *http.Request, params httprouter.Params) (region string, auto bool, err error) {
	region = params.ByName("region")
	if p.regionOf == nil || region != autoRegion {
		return region, false, nil
	}
	region, ok := p.regionOf(r)
	if !ok {
		return "", true, errUnlocated
	}
	w.Header().Set(regionHeader, region)
	return region, true, nil
}
