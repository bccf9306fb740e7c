package frontend

import (
	"net/http"
	"time"
)

// copiesPath is the only route that takes a body.
const copiesPath = "/v1/copies"

// unreadTimeout bounds the time to send the rest of an unused body. net/http reads up to 256 KiB of
// it before it closes the connection, so that the client can read its answer.
const unreadTimeout = 500 * time.Millisecond

// errBody refuses a body. Until net/http has read the body, it does not notice that the client
// left.
var errBody = problem(codeInput, "This route takes no body: send neither Content-Length nor Transfer-Encoding")

// takesBody reports whether the request's route takes a body. It compares the path as it was sent,
// as the router does.
func takesBody(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.EscapedPath() == copiesPath
}

// abandonBody closes the connection after the answer, even if some of the body is unread. Call it
// before the answer's status is written.
func abandonBody(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unreadTimeout))
}

// refuseBody answers a request with a body to a route without one.
func (s *Server) refuseBody(w http.ResponseWriter, r *http.Request) {
	s.redirects.metrics.bodies.Inc()
	abandonBody(w)
	if !s.serveUncopied(w, r) {
		writeError(w, errBody)
	}
}
