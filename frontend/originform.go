package frontend

import (
	"net/http"
	"strings"
)

// originForm returns the path and query of a request as they were sent. Of the absolute URL that a
// client sends to a proxy, it drops the scheme and the host: no answer may lead to a host of the
// request.
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
