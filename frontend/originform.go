package frontend

import (
	"net/http"
	"strings"
)

// originForm returns the path and query of a request as they were sent. It drops the scheme and the
// host of an absolute URL, as clients send to proxies: no answer may lead to a host of the request.
func originForm(r *http.Request) string {
	if !r.URL.IsAbs() {
		return r.RequestURI
	}
	_, rest, _ := strings.Cut(r.RequestURI, ":")
	if below, ok := strings.CutPrefix(rest, "//"); ok {
		rest = below[strings.IndexAny(below+"/", "/?"):]
	}
	return rest
}
