package cache

import (
	"math/rand/v2"
	"strings"
	"time"
)

// maxText keeps an error's text for operators to what one reads, in bytes.
const maxText = 1024

// Rules says how long entries are true. All fields must be positive.
type Rules struct {
	// TTL is the longest that a present entry is believed without asking the bucket again.
	TTL time.Duration
	// ExpiryMargin is how long before the bucket deletes an object nobody is sent to it any more: the time that a client may
	// take to read it.
	ExpiryMargin time.Duration
	// Lease is how long a pending entry stands without progress, at most 60 s.
	Lease time.Duration
	// NegativeTTL is how long a permanent error is answered from the cache.
	NegativeTTL time.Duration
	// RetryAfter is how long after a first transient error the copy is started again at the latest, and RetryMax after many.
	RetryAfter, RetryMax time.Duration
}

// Present is the entry of an object that the bucket has and deletes at expires (zero for never). It is Absent if that
// is within the margin.
func (r Rules) Present(now, expires time.Time) Entry {
	deadline := now.Add(r.TTL)
	if !expires.IsZero() {
		if last := expires.Add(-r.ExpiryMargin); last.Before(deadline) {
			deadline = last
		}
	}
	if !deadline.After(now) {
		return Entry{}
	}
	return Entry{State: Present, Deadline: deadline, Expires: expires}
}

// Pending is the entry of an object whose copy owner is making.
func (r Rules) Pending(now time.Time, owner string, done, total int64) Entry {
	return Entry{State: Pending, Deadline: now.Add(r.Lease), Owner: owner, Done: done, Total: total}
}

// Failed is the entry of an object whose copy failed for good, as far as can be seen.
func (r Rules) Failed(now time.Time, class string, status int, text string) Entry {
	e := failed(class, status, text)
	e.Deadline, e.Permanent = now.Add(r.NegativeTTL), true
	return e
}

// Transient is the entry of an object whose copy failed for the failures-th time in a row, and is to be tried again. All
// front ends wait for its deadline, which is a back-off that doubles, with jitter: what failed together for one cause is
// not tried again together.
func (r Rules) Transient(now time.Time, failures int64, class string, status int, text string) Entry {
	backoff := r.RetryAfter
	for i := int64(1); i < failures && backoff < r.RetryMax; i++ {
		backoff *= 2
	}
	backoff = min(backoff, max(r.RetryMax, r.RetryAfter))
	e := failed(class, status, text)
	e.Deadline = now.Add(backoff/2 + rand.N(backoff/2+1)) //nolint:gosec // it hides nothing
	return e
}

func failed(class string, status int, text string) Entry {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return Entry{State: Error, Class: class, Status: status, Text: text}
}
