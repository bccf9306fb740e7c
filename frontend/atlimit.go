package frontend

import (
	"net/http"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// AtLimit is the answer to a redirect request that reaches a limit.
type AtLimit string

const (
	// AtLimitSource redirects to the original URL at once. The zero AtLimit does so as well.
	AtLimitSource AtLimit = "source"
	// AtLimitRefuse answers 429 at a limit of one client, and 503 at any other, with Retry-After.
	AtLimitRefuse AtLimit = "refuse"
)

// limitText tells a client which limit it reached.
func limitText(l flight.Limit) string {
	switch l {
	case flight.LimitClient:
		return "This client requests new copies too fast"
	case flight.LimitStatus:
		return "This client requests the status of new objects too fast"
	case flight.LimitHost:
		return "New copies from this host are requested too fast"
	case flight.LimitBacklog:
		return "Too many copies wait to be made"
	case flight.LimitWaitersPerClient:
		return "Too many requests of this client wait for copies"
	case flight.LimitWaitersPerObject:
		return "Too many clients wait for this copy"
	default:
		return "Too many clients wait for copies"
	}
}

// limitProblem is the refusal at a limit.
func limitProblem(status int, r *flight.LimitError) *requestError {
	c := codeUnavailable
	if status == http.StatusTooManyRequests {
		c = codeTooMany
	}
	p := problem(c, limitText(r.Limit)+", try again")
	p.retryAfter = r.RetryAfter
	return p
}
