package flight

import "time"

// Limit names a limit that keeps a client from waiting, or a copy from being requested.
type Limit string

// The limits.
const (
	None                  Limit = ""                   // No limit was reached.
	LimitClient           Limit = "client"             // Copy requests of one client, per second.
	LimitHost             Limit = "host"               // Copy requests from one source host, per second.
	LimitBacklog          Limit = "backlog"            // Tasks that wait for the workers of a pool.
	LimitWaiters          Limit = "waiters"            // Waiting requests.
	LimitWaitersPerClient Limit = "waiters_per_client" // Waiting requests of one client.
	LimitWaitersPerObject Limit = "waiters_per_object" // Waiting requests for one object.
	LimitStatus           Limit = "status"             // HEADs for statuses of one client, per second.
)

// AllLimits returns the limits in the order of their declaration.
func AllLimits() []Limit {
	return []Limit{LimitClient, LimitHost, LimitBacklog, LimitWaiters, LimitWaitersPerClient, LimitWaitersPerObject, LimitStatus}
}

// Bounds of [LimitError].RetryAfter.
const (
	minRetry = time.Second
	maxRetry = time.Minute
)

// A LimitError is the error of a request that reached a limit.
type LimitError struct {
	Limit Limit
	// RetryAfter estimates when the limit lets the request pass: 1 s to 1 min.
	RetryAfter time.Duration
}

func refuse(l Limit, retryAfter time.Duration) *LimitError {
	return &LimitError{Limit: l, RetryAfter: min(max(retryAfter, minRetry), maxRetry)}
}

func (r *LimitError) Error() string { return "limit reached: " + string(r.Limit) }
