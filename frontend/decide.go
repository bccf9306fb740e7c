package frontend

import (
	"net/http"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// destination is where a redirect goes.
type destination int

const (
	nowhere destination = iota
	toCopy
	toSource
	toSelf
)

// reason is why an answer is what it is, for metrics and logs.
type reason string

const (
	reasonHit     reason = "hit"     // the copy was there
	reasonCopied  reason = "copied"  // the copy came within the wait
	reasonWait    reason = "wait"    // no answer yet
	reasonTimeout reason = "timeout" // the copy did not come within the wait
	reasonNoQueue reason = "noqueue" // the copy could not be asked for
	reasonSource  reason = "source"  // the source's own answer
	reasonRefused reason = "refused" // the URL, or a hop of its redirects, is not allowed
	reasonFailed  reason = "failed"  // the object can't be copied
	reasonStop    reason = "stop"    // the front end is shutting down
	reasonFull    reason = "full"    // too many clients wait
	reasonAgain   reason = "again"   // the client comes back for the rest of its wait
	reasonRegion  reason = "region"  // the client's region is not known
	reasonGone    reason = "gone"    // the client left, as far as can be seen
)

// reasons are all of them.
func reasons() []reason {
	return []reason{
		reasonHit, reasonCopied, reasonWait, reasonTimeout, reasonNoQueue, reasonSource, reasonRefused, reasonFailed, reasonStop,
		reasonGone, reasonFull, reasonAgain, reasonRegion,
	}
}

// situation is all that a decision depends on.
type situation struct {
	Entry cache.Entry
	// FirstLook is set while the client has not waited for the entry.
	FirstLook bool
	// WaitOver is set when the client's wait in this request is used up, and ComesBack if another
	// request of its chain waits for the remainder.
	WaitOver, ComesBack bool
	// Full is set if as many clients wait as may.
	Full bool
	// Unlocated is set if the client's region is not known, though it matters.
	Unlocated bool
	// QueueDown is set if the copy could not be asked for.
	QueueDown bool
	// Stopping is set if the front end is shutting down, Gone if the client seems to have left.
	Stopping, Gone bool
}

// decision is what is to be done.
type decision struct {
	// Status is the answer's; 0 means that there is none yet and the client waits.
	Status int
	To     destination
	// Enqueue asks for the copy to be requested, before any answer is given.
	Enqueue bool
	Reason  reason
}

// decide is the redirect decision, and the only place of it.
func decide(s situation) decision {
	switch e := s.Entry; {
	case s.Unlocated:
		return decision{Status: http.StatusFound, To: toSource, Reason: reasonRegion}
	case e.State == cache.Present && s.FirstLook:
		return decision{Status: http.StatusFound, To: toCopy, Reason: reasonHit}
	case e.State == cache.Present:
		return decision{Status: http.StatusFound, To: toCopy, Reason: reasonCopied}
	case e.State == cache.Error && e.Permanent:
		return decideFailed(e)
	}
	d := decision{Enqueue: s.Entry.State == cache.Absent && !s.QueueDown, Reason: reasonWait}
	switch {
	case s.Full:
		return decision{Status: http.StatusServiceUnavailable, Reason: reasonFull}
	case s.QueueDown:
		d.Reason = reasonNoQueue
	case s.Stopping:
		d.Reason = reasonStop
	case s.Gone:
		d.Reason = reasonGone
	case s.WaitOver && s.ComesBack:
		return decision{Status: http.StatusFound, To: toSelf, Enqueue: d.Enqueue, Reason: reasonAgain}
	case s.WaitOver:
		d.Reason = reasonTimeout
	default:
		return d
	}
	d.Status, d.To = http.StatusFound, toSource
	return d
}

// decideFailed answers for an object that no retry will copy.
func decideFailed(e cache.Entry) decision {
	switch {
	case e.Class == string(codeInvalidURL):
		return decision{Status: statusOf(codeInvalidURL), Reason: reasonRefused}
	case e.Status >= 400 && e.Status <= 499:
		return decision{Status: e.Status, Reason: reasonSource}
	default:
		// The client may be able to read what we can't copy.
		return decision{Status: http.StatusFound, To: toSource, Reason: reasonFailed}
	}
}
