package frontend

import "net/http"

// allowOrigin lets scripts of any site read the answer, as the original did: no route depends on a
// cookie.
func allowOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Max-Age", "900")
	h.Set("Access-Control-Allow-Methods", "OPTIONS,GET,HEAD,POST,PUT,DELETE,TRACE,CONNECT")
	h.Set("Access-Control-Request-Method", "*")
	h.Set("Access-Control-Allow-Headers", "X-Requested-With,Content-Type,Authorization,Accept,Origin,Cache-Control")
}

func preflight(w http.ResponseWriter, _ *http.Request) {
	allowOrigin(w.Header())
	w.WriteHeader(http.StatusNoContent)
}
