package frontend

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// A bearerToken authorizes purges and lists of copies. The empty token authorizes none.
type bearerToken string

// allows compares digests, so that its timing reveals nothing about the token.
func (t bearerToken) allows(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(t))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && t != "" && strings.EqualFold(scheme, "Bearer")
}
