package token

import "slices"

// Scope names the requests that a token permits.
type Scope string

const (
	// Purge permits purges.
	Purge Scope = "purge"
	// Copies permits lists of copies.
	Copies Scope = "copies"
	// Status permits the details of a status, and frees it from its rate limit.
	Status Scope = "status"
	// Codec permits decoding of Temporal's payloads.
	Codec Scope = "codec"
)

// scopes lists all scopes.
func scopes() []Scope { return []Scope{Purge, Copies, Status, Codec} }

func (s Scope) known() bool { return slices.Contains(scopes(), s) }
