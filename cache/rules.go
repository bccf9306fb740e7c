package cache

import (
	"strings"
	"time"
)

// maxText keeps an error's text for operators to what one reads, in bytes.
const maxText = 1024

// Rules says how long entries are true. All fields must be positive.
type Rules struct {
	// TTL is the longest that a present entry is believed without asking the bucket again.
	TTL time.Duration
	// Margin is how long before the bucket deletes an object nobody is sent to it any more: the time that a client may
	// take to read it.
	Margin time.Duration
	// Lease is how long a pending entry stands without progress, at most 60 s.
	Lease time.Duration
	// NegativeTTL is how long a permanent error is answered from the cache.
	NegativeTTL time.Duration
	// RetryAfter is how long after a transient error the copy is started again.
	RetryAfter time.Duration
}

// Present is the entry of an object that the bucket has and deletes at expires (zero for never). It is Absent if that
// is within the margin.
func (r Rules) Present(now, expires time.Time) Entry {
	deadline := now.Add(r.TTL)
	if !expires.IsZero() {
		if last := expires.Add(-r.Margin); last.Before(deadline) {
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

// Failed is the entry of an object whose copy failed.
func (r Rules) Failed(now time.Time, class string, status int, permanent bool, text string) Entry {
	ttl := r.RetryAfter
	if permanent {
		ttl = r.NegativeTTL
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return Entry{State: Error, Deadline: now.Add(ttl), Class: class, Status: status, Permanent: permanent, Text: text}
}
