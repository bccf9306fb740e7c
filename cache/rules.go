package cache

import (
	"math/rand/v2"
	"strings"
	"time"
)

// maxText is the limit of an error's text for operators, in bytes: about as much as a person reads.
const maxText = 1024

// Rules sets how long entries live. All fields must be positive.
type Rules struct {
	// TTL is the longest time that a present entry is trusted without a new HEAD of the bucket.
	TTL time.Duration
	// ExpiryMargin is the safety window before the bucket's lifecycle rule deletes a copy. Clients
	// are not redirected to the copy within that window: it is the time to download it.
	ExpiryMargin time.Duration
	// Lease is how long a pending entry lives without progress, at most 60 s.
	Lease time.Duration
	// NegativeTTL is how long front ends answer a permanent error from the cache.
	NegativeTTL time.Duration
	// UnmirrorableTTL is how long an object is not copied again after its copies failed in the same
	// way again and again.
	UnmirrorableTTL time.Duration
	// RetryAfter is the longest back-off after a first transient error, RetryMax after many.
	RetryAfter, RetryMax time.Duration
}

const (
	// maxLease is the limit of Rules.Lease.
	maxLease = time.Minute
	// maxDelay is the longest back-off that a source can demand: see package storage/origin.
	maxDelay = 5 * time.Minute
	// maxTTL bounds the deadline of an entry without Rules.
	maxTTL = 366 * 24 * time.Hour
)

// longest returns the longest time between now and the deadline of such an entry. The lease is not
// the configured one: a process with a shorter lease must not end the leases of others.
func (r Rules) longest(e Entry) time.Duration {
	switch {
	case e.State == Pending:
		return maxLease
	case r == Rules{}:
		return maxTTL
	case e.State == Present, e.Class == ClassTooSmall:
		return r.TTL
	default:
		return max(r.NegativeTTL, r.UnmirrorableTTL, r.RetryAfter, r.RetryMax, maxDelay)
	}
}

// A Copy describes a copy in the bucket.
type Copy struct {
	// Expires is when the bucket deletes the copy. Zero is never.
	Expires time.Time
	// SHA256 is the digest in lower-case hex, empty if it is unknown.
	SHA256 string
	// Size is in bytes.
	Size int64
}

// Present returns the entry of an object that the bucket holds. It is Absent if the copy expires
// within ExpiryMargin of now.
func (r Rules) Present(now time.Time, c Copy) Entry {
	deadline := now.Add(r.TTL)
	if !c.Expires.IsZero() {
		if last := c.Expires.Add(-r.ExpiryMargin); last.Before(deadline) {
			deadline = last
		}
	}
	if !deadline.After(now) {
		return Entry{}
	}
	return Entry{State: Present, Deadline: deadline, Expires: c.Expires, SHA256: c.SHA256, Size: c.Size}
}

// Pending returns the entry of an object that owner is copying. Done and total are in bytes; total
// is -1 if unknown.
func (r Rules) Pending(now time.Time, owner string, done, total int64) Entry {
	return Entry{State: Pending, Deadline: now.Add(r.Lease), Owner: owner, Done: done, Total: total}
}

// Failed returns the entry of an object whose copy failed with an error that looks permanent. The
// reason's text is cut to 1,024 bytes.
func (r Rules) Failed(now time.Time, why Reason) Entry {
	e := failed(why)
	e.Deadline, e.Permanent = now.Add(r.NegativeTTL), true
	return e
}

// TooSmall returns the entry of an object that is smaller than the minimum of its request. It is
// not copied again for such a request within TTL.
func (r Rules) TooSmall(now time.Time, size int64) Entry {
	return Entry{State: Error, Deadline: now.Add(r.TTL), Size: size, Reason: Reason{Class: ClassTooSmall}, Permanent: true}
}

// Unmirrorable returns the entry of an object whose copies failed in the same way again and again.
func (r Rules) Unmirrorable(now time.Time, why Reason) Entry {
	e := failed(why)
	e.Deadline, e.Permanent, e.Unmirrorable = now.Add(r.UnmirrorableTTL), true, true
	return e
}

// Transient returns the entry of an object whose copy failed and can be retried. Failures is the
// number of failures in a row, including this one. Its deadline is a back-off that all front ends
// share. The back-off doubles with each failure, from RetryAfter to RetryMax, less up to half as
// jitter. Jitter spreads the retries of copies that failed together for one cause.
func (r Rules) Transient(now time.Time, failures int64, why Reason) Entry {
	backoff := r.RetryAfter
	for i := int64(1); i < failures && backoff < r.RetryMax; i++ {
		backoff *= 2
	}
	backoff = min(backoff, max(r.RetryMax, r.RetryAfter))
	e := failed(why)
	e.Deadline = now.Add(backoff/2 + rand.N(backoff/2+1)) //nolint:gosec // it hides nothing
	return e
}

// FailuresTTL is how long a row of failures is remembered: longer than any entry that follows from
// it, so that the next failure continues the row.
func (r Rules) FailuresTTL() time.Duration {
	return time.Hour + max(r.UnmirrorableTTL, r.RetryMax, r.NegativeTTL)
}

func failed(why Reason) Entry {
	if len(why.Text) > maxText {
		why.Text = strings.ToValidUTF8(why.Text[:maxText], "")
	}
	return Entry{State: Error, Reason: why}
}
