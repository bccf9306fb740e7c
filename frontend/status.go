package frontend

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/token"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// statuses serves /v1/status: the state of a copy. It requests nothing.
type statuses struct {
	paths   paths
	tokens  tokens
	entries Entries
	flights *flight.Group
	metrics metrics
}

// statusBody is the state of a copy.
type statusBody struct {
	Status cache.State `json:"status"`
	// Done and Total are a pending copy's bytes. They are omitted while unknown.
	Done  *int64 `json:"done,omitempty"`
	Total *int64 `json:"total,omitempty"`
	// Error is a failed copy's class, and HTTPStatus the source's status if that caused the
	// failure. Retried reports that clients may wait for the next try. A request after Until starts
	// it in any case.
	Error      string     `json:"error,omitempty"`
	HTTPStatus int        `json:"httpStatus,omitempty"`
	Retried    *bool      `json:"retried,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	// TooSmall is set if the object was too small for a request with a minimum size, and Size is
	// its size in bytes. Such requests are redirected to the source until Until. For all others the
	// copy is absent, so this is its status.
	TooSmall bool   `json:"tooSmall,omitempty"`
	Size     *int64 `json:"size,omitempty"`
	// Unmirrorable is set if the object's copies failed in the same way again and again.
	Unmirrorable bool `json:"unmirrorable,omitempty"`
	// WorkflowID names the workflow that copies the object, whether it ever ran or not.
	WorkflowID string `json:"workflowId"`
	// Attempts counts the attempts of a pending or failed copy that have begun. It is omitted while
	// unknown.
	Attempts int32 `json:"attempts,omitempty"`
	// NextRetry is when the copy's next attempt is scheduled. It is omitted if none is, or if the
	// time is unknown.
	NextRetry *time.Time `json:"nextRetry,omitempty"`

	// The rest is for tokens with the scope status. Cause is the operators' text of a failure, and
	// Owner the lease holder of a pending copy.
	Cause string `json:"cause,omitempty"`
	Owner string `json:"owner,omitempty"`
}

// absentStatus is the status of an object without an entry and without a copy.
const absentStatus cache.State = "absent"

// serve answers any client. A client that sends a bearer token gets more, or an error. Otherwise a
// wrong token would be a guess without a count.
func (s *statuses) serve(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	operator := token.Offered(r)
	if operator {
		if _, err := s.tokens.authorize(r, token.Status, "The details of a status need a bearer token with the scope status"); err != nil {
			writeError(w, err)
			return
		}
	}
	t, _, err := s.paths.target(w, r, p)
	if err == nil {
		err = strayQuery(r)
	}
	if err != nil {
		refuse(w, s.metrics, err)
		return
	}
	look := func(ctx context.Context, t *flight.Target, redisUp bool) (cache.Entry, error) {
		return s.flights.Look(ctx, t, redisUp, s.tokens.clientOf(r))
	}
	if operator {
		look = s.flights.Backfill
	}
	entry, err := s.lookUp(r.Context(), t, look)
	if limit, ok := errors.AsType[*flight.LimitError](err); ok { // A status is never a guess.
		s.metrics.reachedLimit(limit.Limit)
		writeError(w, limitProblem(http.StatusTooManyRequests, limit))
		return
	}
	if err != nil {
		writeError(w, problem(codeUnavailable, "The state is unknown: redis or the bucket does not answer, try again"))
		return
	}
	body := statusOfEntry(entry)
	body.WorkflowID, body.Attempts, body.NextRetry = workflowID(t.Object), entry.Attempts, nextRetry(entry, time.Now())
	if operator {
		body.Cause, body.Owner = entry.Text, entry.Owner
	}
	writeJSON(w, http.StatusOK, body)
}

// lookUp returns the object's entry, or the entry of a copy that redis has lost. A copy in the
// bucket also counts if the entry says that the object is too small. lookUp fails if it can't see
// the object's state within waitGrace: a copy may be pending while redis is down. look HEADs the
// bucket.
func (s *statuses) lookUp(
	ctx context.Context, t *flight.Target, look func(context.Context, *flight.Target, bool) (cache.Entry, error),
) (cache.Entry, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), waitGrace)
	defer cancel()
	entry, redisErr := s.entries.Get(ctx, t.Key)
	if ctx.Err() != nil {
		return cache.Entry{}, ctx.Err()
	}
	if redisErr == nil && entry.For(t.MinSize).State != cache.Absent {
		return entry, nil
	}
	found, err := look(ctx, t, redisErr == nil || cache.Replied(redisErr))
	if errors.Is(err, storage.ErrNotFound) {
		return entry, redisErr
	}
	return found, err
}

func statusOfEntry(e cache.Entry) statusBody {
	switch e.State {
	case cache.Present:
		return statusBody{Status: cache.Present}
	case cache.Pending:
		b := statusBody{Status: cache.Pending, Done: &e.Done}
		if e.Total >= 0 {
			b.Total = &e.Total
		}
		return b
	case cache.Error:
		retried, until := !e.Permanent, e.Deadline.UTC().Truncate(time.Second)
		if e.Class == cache.ClassTooSmall {
			return statusBody{Status: absentStatus, TooSmall: true, Size: &e.Size, Until: &until}
		}
		return statusBody{
			Status: cache.Error, Error: e.Class, HTTPStatus: e.Status, Retried: &retried, Until: &until,
			Unmirrorable: e.Unmirrorable,
		}
	default:
		return statusBody{Status: absentStatus}
	}
}
