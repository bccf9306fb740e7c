package cache

import "time"

// State is the state of an object's copy.
type State string

// The states of an [Entry]. An undecodable entry, or one past its deadline, counts as Absent.
const (
	Absent  State = ""
	Present State = "present"
	Pending State = "pending"
	Error   State = "error"
)

// Entry is the state of one object in redis. The zero Entry is Absent.
type Entry struct {
	State State

	// Deadline is when the entry expires: the end of a present copy's time in the cache, of a
	// lease, or of a back-off. Redis stores it in whole milliseconds.
	Deadline time.Time

	// Expires is when the bucket deletes a present copy, in whole seconds. Zero is never.
	Expires time.Time
	// Size is the size of a present copy in bytes, or of an object that is too small. Zero is
	// unknown: entries of builds before 2026-11-26 have no size.
	Size int64
	// SHA256 is the digest of the copy, in lower-case hex. It is empty unless a worker computed it,
	// or the source sent it. A pending entry has only the digest that the source sent.
	SHA256 string

	// Owner is the lease holder of a pending copy.
	Owner string
	// Done and Total are the progress of a pending copy in bytes. Total is -1 while unknown.
	Done, Total int64
	// Low is set if a pending copy ranks behind all copies that clients wait for.
	Low bool

	// Attempts counts the attempts of a pending or failed copy that have begun, in their present
	// series: a copy that stored parts may get another series. Zero is unknown: front ends, and builds
	// before 2026-11-27, write none. An attempt that only waited for its turn does not count.
	Attempts int32
	// NextRetry is when the copy's next attempt is scheduled, in whole milliseconds. It is zero if
	// none is, or if the time is unknown.
	NextRetry time.Time

	// Run is the run of the workflow that ended with an error, or whose attempt renews a lease. It is
	// empty in other entries, and in those of builds before 2026-11-27.
	Run string

	// Reason is why the copy failed.
	Reason
	// Permanent is set if no client should wait for the next try, which is after the deadline.
	Permanent bool
	// Unmirrorable is set if the object's copies failed in the same way again and again.
	Unmirrorable bool
}

// Reason is why a copy failed.
type Reason struct {
	// Class is the error class, e.g. BadHTTPStatus. Clients may see it. Of an entry in redis it is
	// one of [Classes].
	Class string
	// Status is the source's HTTP status if it failed the copy, otherwise 0.
	Status int
	// AboutObject is set if Status says something about the object: clients get it.
	AboutObject bool
	// Text is the error's text for operators. Clients never see it.
	Text string
}

// Final reports whether the entry already decides a request: the copy is present, or no client
// should wait for it. Other entries may change while a client waits.
func (e Entry) Final() bool { return e.State == Present || e.State == Error && e.Permanent }

// HasOtherDigest reports whether the copy has a known SHA-256 that differs from want, in lower-case
// hex. An empty want matches any.
func (e Entry) HasOtherDigest(want string) bool {
	return want != "" && e.SHA256 != "" && e.SHA256 != want
}

// For returns the entry as it counts for a request with that minimum size, in bytes. An object that
// was too small for another request is Absent if it is large enough for this one.
func (e Entry) For(minSize int64) Entry {
	if e.Class == ClassTooSmall && e.State == Error && e.Size >= minSize {
		return Entry{}
	}
	return e
}
