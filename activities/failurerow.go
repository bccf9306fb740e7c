package activities

import (
	"slices"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// FailureRow counts failures in a row: attempts of one StreamCopy that failed, without storing
// anything more in the meantime. It decides when another attempt is a waste. It travels from attempt
// to attempt in the heartbeat.
type FailureRow struct {
	// Class is the class of the last failure, and Count the number of failures of this class at the
	// row's end.
	Class string `json:"class,omitempty"`
	Count int    `json:"count,omitempty"`
	// Since is the time of the row's first failure, of any class.
	Since time.Time `json:"since,omitzero"`
	// Done is the number of bytes in the bucket during the row.
	Done int64 `json:"done,omitempty"`
}

const (
	// maxShape is how often a copy may fail because of how the source answers. That does not change
	// by itself. A response may be damaged on its way, but hardly twice. The same is true of an
	// object on its way to the bucket.
	maxShape   = 4
	maxDamaged = 2
	// firstPatience is how long the first request is repeated while the source fails. The client
	// may have more luck with the source itself, and the next client starts another copy.
	firstPatience = 10 * time.Second
	// maxRetryAfter is the longest delay requested by a source for which a copy without stored parts
	// waits. It ends with a longer one, and front ends restart it after the delay.
	maxRetryAfter = 10 * time.Second
)

// next returns the row after another failure.
func (r FailureRow) next(class string, done int64, now time.Time) FailureRow {
	switch {
	case r.Count == 0 || done > r.Done:
		return FailureRow{Class: class, Count: 1, Since: now, Done: done}
	case class != r.Class:
		r.Class, r.Count = class, 0
	}
	r.Count++
	return r
}

// over reports whether the copy failed so often in the same way, the last time with f, that another
// attempt is a waste.
func (r FailureRow) over(f Failure, first bool, now time.Time) bool {
	switch {
	case f.RetryAfter > maxRetryAfter:
		return r.Done == 0
	case f.Class == string(origin.ClassCorrupt), f.Class == string(origin.ClassMalformed), f.Class == ClassRejected:
		return r.Count >= maxDamaged
	case f.ofShape():
		return r.Count >= maxShape
	default:
		return first && f.ofSource() && now.Sub(r.Since) >= firstPatience
	}
}

// needsStream reports whether the next attempt reads the object as one stream, because its ranges
// keep ending early, or keep breaking off or stalling. Stored parts are worth the wait for a source
// that is down.
func (r FailureRow) needsStream() bool {
	outage := r.Class == ClassStalled || r.Class == string(origin.ClassUnreachable)
	return r.Count > 1 && (r.Class == string(origin.ClassTruncated) || outage && r.Done == 0)
}

// ShapeClasses returns the classes of failures that come from how a source answers.
func ShapeClasses() []string {
	return []string{
		string(origin.ClassTruncated), string(origin.ClassUnverifiable), string(origin.ClassCorrupt),
		string(origin.ClassMalformed), string(origin.ClassTooManyRedirects), string(origin.ClassBadHTTPStatus),
		string(origin.ClassTooLarge), ClassTooSlow,
	}
}

// UnmirrorableClasses returns the classes of failures that can make an object unmirrorable.
func UnmirrorableClasses() []string { return append(ShapeClasses(), ClassRejected) }

// ofShape reports whether the failure comes from how the source answers, rather than from an outage.
func (f Failure) ofShape() bool {
	if f.Class == string(origin.ClassBadHTTPStatus) {
		return f.Status < 400
	}
	return slices.Contains(ShapeClasses(), f.Class)
}

// ofSource reports whether the source failed, rather than one of our own parts.
func (f Failure) ofSource() bool {
	switch f.Class {
	case string(origin.ClassUnreachable), string(origin.ClassBadHTTPStatus), ClassStalled:
		return true
	}
	return f.ofShape()
}
