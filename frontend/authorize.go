package frontend

import (
	"errors"
	"net/http"
	"net/netip"

	"github.com/cloud-mirror/cloud-mirror/frontend/token"
)

// tokens authorizes requests by their bearer token.
type tokens struct {
	guard    *token.Guard
	clientOf func(*http.Request) netip.Addr
}

// authorize returns the name of the request's token. need tells a client which token it needs.
func (t tokens) authorize(r *http.Request, s token.Scope, need string) (name string, err error) {
	name, err = t.guard.Check(r, t.clientOf(r), s)
	if limit, ok := errors.AsType[*token.LimitError](err); ok {
		p := problem(codeTooMany, "This client sent too many wrong tokens, try again")
		p.retryAfter = limit.RetryAfter
		return "", p
	}
	switch {
	case errors.Is(err, token.ErrScope):
		return "", problem(codeScopes, need)
	case err != nil:
		return "", problem(codeUnauthn, need)
	}
	return name, nil
}
