package frontend

import "net/http"

// allowHeaders has the original's headers, Prefer, and the headers that a script may send with a
// download. A browser sends them to the copy too, after a preflight there.
const allowHeaders = "X-Requested-With,Content-Type,Authorization,Accept,Origin,Cache-Control,Prefer,Range," +
	"If-Match,If-Modified-Since,If-None-Match,If-Range,If-Unmodified-Since"

// exposeHeaders has our headers that browsers would otherwise hide from scripts. Scripts never see
// those of a redirect, only those of the other answers.
const exposeHeaders = "Cache-Status,Cloud-Mirror-Region,Cloud-Mirror-Workflow-Id,Preference-Applied,Retry-After,X-Request-Id"

// allowOrigin lets scripts of any site read the answer, as the original did: no route depends on a
// cookie.
func allowOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Max-Age", "900")
	h.Set("Access-Control-Allow-Methods", "OPTIONS,GET,HEAD,POST,PUT,DELETE,TRACE,CONNECT")
	h.Set("Access-Control-Request-Method", "*")
	h.Set("Access-Control-Allow-Headers", allowHeaders)
	h.Set("Access-Control-Expose-Headers", exposeHeaders)
}

func preflight(w http.ResponseWriter, _ *http.Request) {
	allowOrigin(w.Header())
	w.WriteHeader(http.StatusNoContent)
}
