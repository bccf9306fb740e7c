package frontend

import (
	"net/http"
	"time"
)

// copiesPath is the only route that takes a body.
const copiesPath = "/v1/copies"

// unreadTimeout is how long a client may take to send the rest of a body that is not used. net/http
// reads up to 256 KiB of it before it closes the connection, so that the client can read its
// answer.
const unreadTimeout = 500 * time.Millisecond

// errBody refuses a body. net/http does not notice that a client left before it has read the body.
var errBody = problem(codeInput, "This route takes no body: send neither Content-Length nor Transfer-Encoding")

// takesBody reports whether the request is one to the route that takes a body. It compares the path as
// it was sent, as the router does.
func takesBody(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.EscapedPath() == copiesPath
}

// abandonBody closes the connection after the answer, whatever is left of the body. Call it before
// the answer's status is written.
func abandonBody(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unreadTimeout))
}

// refuseBody answers a request with a body to a route without one.
func (s *Server) refuseBody(w http.ResponseWriter) {
	s.redirects.metrics.bodies.Inc()
	abandonBody(w)
	writeError(w, errBody)
}
