package frontend

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
)

// errQuery refuses a query on a route without one.
var errQuery = problem(codeInput, "This route takes no query")

// strayQuery returns an error for a query behind the path of an object. It shows that the URL was
// not encoded and lost its own query: the path then names another object.
func strayQuery(r *http.Request) error {
	if hasQuery(r) {
		return problem(codeInput, notEncoded)
	}
	return nil
}

func hasQuery(r *http.Request) bool { return r.URL.RawQuery != "" || r.URL.ForceQuery }

// withoutQuery refuses requests with a query.
func (s *Server) withoutQuery(serve httprouter.Handle) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		if hasQuery(r) {
			refuse(w, s.redirects.metrics, errQuery)
			return
		}
		serve(w, r, p)
	}
}
