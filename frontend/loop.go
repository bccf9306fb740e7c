package frontend

import (
	"net/http"
	"strings"
)

// loopHeader is CDN-Loop, as header maps hold it.
const loopHeader = "Cdn-Loop"

// loops reports whether a request came from a worker of this deployment: its CDN-Loop (RFC 8586)
// names the deployment. A copy's source then leads back to this front end.
func loops(values []string, id string) bool {
	if id == "" {
		return false
	}
	for _, value := range values {
		for info := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(info, ";")
			if strings.EqualFold(strings.Trim(name, " \t"), id) {
				return true
			}
		}
	}
	return false
}

// refuseLoop answers a request that came from this deployment itself.
func (s *Server) refuseLoop(w http.ResponseWriter, r *http.Request) {
	if s.serveUncopied(w, r) {
		return
	}
	refuse(w, s.redirects.metrics, problem(codeLoop, "This request comes from this mirror: a source leads back to it"))
}
