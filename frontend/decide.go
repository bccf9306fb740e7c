package frontend

import (
	"net/http"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// destination is the target of a redirect.
type destination int

const (
	nowhere destination = iota
	toCopy
	toSource
	toSelf
)

// reason explains a decision, for metrics and logs.
type reason string

const (
	reasonHit     reason = "hit"     // The copy existed.
	reasonCopied  reason = "copied"  // The copy was made within the wait.
	reasonDigest  reason = "digest"  // The copy has another digest than the client expects.
	reasonWait    reason = "wait"    // No answer yet.
	reasonTimeout reason = "timeout" // The copy was not made within the wait.
	reasonNoQueue reason = "noqueue" // The copy could not be requested.
	reasonSource  reason = "source"  // The source's own answer.
	reasonRefused reason = "refused" // The URL, or a hop of its redirects, is not allowed.
	reasonFailed  reason = "failed"  // The object can't be copied.
	reasonStop    reason = "stop"    // The front end is shutting down.
	reasonLimited reason = "limited" // A limit is reached: of waiting clients, or of copy requests.
	reasonAgain   reason = "again"   // The next request of the chain waits for the remainder.
	reasonRegion  reason = "region"  // No pool: the client's region is unknown, or a mirror path names none.
	reasonGone    reason = "gone"    // The client seems to have left.
	reasonSmall   reason = "small"   // The object is smaller than the minimum size.
	reasonBypass  reason = "bypass"  // The path, or its query, is never copied.
	reasonOff     reason = "off"     // An operator has switched off the copies of the host or the pool.
)

// reasons lists all reasons, for metrics that start at zero.
func reasons() []reason {
	return []reason{
		reasonHit, reasonCopied, reasonWait, reasonTimeout, reasonNoQueue, reasonSource, reasonRefused, reasonFailed, reasonStop,
		reasonGone, reasonLimited, reasonAgain, reasonRegion, reasonDigest, reasonSmall, reasonBypass, reasonOff,
	}
}

// situation holds everything that a decision depends on.
type situation struct {
	Entry cache.Entry
	// Mirror is set on the mirror route: its clients get the copy or the source, and nothing else.
	Mirror bool
	// FirstLook is set while the client has not waited for the entry.
	FirstLook bool
	// OtherDigest is set if the copy, or a running copy, has another digest than the client
	// expects.
	OtherDigest bool
	// InVain is set if the client's wait would end before the next try at a copy that failed.
	InVain bool
	// WaitOver is set when this request's wait has run out, and ComesBack if the next request of
	// its chain waits for the remainder.
	WaitOver, ComesBack bool
	// Limit is the limit that stops the client's wait or its copy request. AtLimit is the
	// configured answer.
	Limit   flight.Limit
	AtLimit AtLimit
	// Unlocated is set if the client's region matters and is unknown.
	Unlocated bool
	// Bypassed is set if an operator has switched off the copies of the object's host or pool.
	Bypassed bool
	// QueueDown is set if the copy could not be requested.
	QueueDown bool
	// Stopping is set if the front end is shutting down, Gone if the client seems to have left.
	Stopping, Gone bool
}

// decision is the result of [decide].
type decision struct {
	// Status is the answer's status. Zero means that the client waits.
	Status int
	To     destination
	// Request is set if a copy must be requested before any answer.
	Request bool
	Reason  reason
}

// decide is the redirect decision. Only these answers are given without it:
//
//   - An invalid request is refused before.
//   - A path of the mirror route that is never copied, or has no pool, passes to the source before.
//   - A copy whose URL can't be presigned, or whose headers can't be read, becomes a redirect to
//     the source after.
func decide(s situation) decision {
	d := decideRedirect(s)
	if s.Mirror && d.Status != 0 && d.To != toCopy {
		d.Status, d.To = http.StatusFound, toSource
	}
	return d
}

func decideRedirect(s situation) decision {
	switch e := s.Entry; {
	case s.Unlocated:
		return decision{Status: http.StatusFound, To: toSource, Reason: reasonRegion}
	case s.Bypassed:
		return decision{Status: http.StatusFound, To: toSource, Reason: reasonOff}
	case s.OtherDigest:
		return decision{Status: http.StatusFound, To: toSource, Reason: reasonDigest}
	case e.State == cache.Present && s.FirstLook:
		return decision{Status: http.StatusFound, To: toCopy, Reason: reasonHit}
	case e.State == cache.Present:
		return decision{Status: http.StatusFound, To: toCopy, Reason: reasonCopied}
	case e.Final() || e.State == cache.Error && s.InVain:
		return decideFailed(e)
	}
	d := decision{Request: s.Entry.State == cache.Absent && !s.QueueDown, Reason: reasonWait}
	switch {
	case s.Limit != flight.None:
		return decideLimited(s.Limit, s.AtLimit)
	case s.QueueDown:
		d.Reason = reasonNoQueue
	case s.Stopping:
		d.Reason = reasonStop
	case s.Gone:
		d.Reason = reasonGone
	case s.WaitOver && s.ComesBack:
		return decision{Status: http.StatusFound, To: toSelf, Request: d.Request, Reason: reasonAgain}
	case s.WaitOver:
		d.Reason = reasonTimeout
	default:
		return d
	}
	d.Status, d.To = http.StatusFound, toSource
	return d
}

// decideLimited answers a client at a limit. Nothing is requested for it.
func decideLimited(l flight.Limit, answer AtLimit) decision {
	switch {
	case answer != AtLimitRefuse:
		return decision{Status: http.StatusFound, To: toSource, Reason: reasonLimited}
	case l == flight.LimitClient || l == flight.LimitWaitersPerClient:
		return decision{Status: http.StatusTooManyRequests, Reason: reasonLimited}
	default:
		return decision{Status: http.StatusServiceUnavailable, Reason: reasonLimited}
	}
}

// decideFailed answers for an object whose copy the client doesn't wait for.
func decideFailed(e cache.Entry) decision {
	switch {
	case e.Class == cache.ClassTooSmall:
		return decision{Status: http.StatusFound, To: toSource, Reason: reasonSmall}
	case e.Class == string(codeInvalidURL):
		return decision{Status: statusOf(codeInvalidURL), Reason: reasonRefused}
	case e.AboutObject && e.Status >= 400 && e.Status <= 499 && !challenges(e.Status):
		return decision{Status: e.Status, Reason: reasonSource}
	default:
		// The client may be able to read a source that workers can't copy: it may have another
		// address, User-Agent or cookie.
		return decision{Status: http.StatusFound, To: toSource, Reason: reasonFailed}
	}
}

// challenges reports whether a status asks for credentials. A client that got it from here would
// send this mirror the credentials that are meant for the source.
func challenges(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired
}
