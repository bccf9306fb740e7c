package activities

import (
	"time"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// verdict is the result of [judge].
type verdict int

const (
	proceed       verdict = iota
	renewLease            // Renew the lease, and proceed unless judgeRenewal objects
	sourceStalled         // End the copy: the source sends nothing
	bucketStalled         // End the copy: the bucket accepts nothing
	sourceTooSlow         // End the copy: the source stays below the minimum average rate
	copyPurged            // End the copy: its object was purged
)

// snapshot is the state of a running copy at one moment.
type snapshot struct {
	// Moved counts every byte that the copy has fetched, read from a buffer, or stored.
	Moved int64
	// Waiting is set if the copy waits for its turn or for memory, and holds no buffer. It can move
	// nothing then.
	Waiting bool
	// Reading is set while a read of the source is in flight.
	Reading bool
	// Fetched counts the bytes from the source, Connected the time in which the copy read them, and
	// Receiving is set while it reads some.
	Fetched   int64
	Connected time.Duration
	Receiving bool
	// KeepsOut is set while a copy from another host waits for slots or memory that this copy may hold.
	KeepsOut bool
}

// snapshotOf reads the counters of a running copy.
func snapshotOf(c *copier.Counters) snapshot {
	s := snapshot{
		Moved:   c.Fetched.Load() + c.Read.Load() + c.Stored.Load(),
		Waiting: c.Waiting.Load() > 0 && c.Held.Load() == 0,
		Reading: c.Reading.Load() > 0,
	}
	s.Connected, s.Receiving = c.Connected()
	s.Fetched = c.Fetched.Load()
	return s
}

// tooSlow reports whether the copy has received less on average than the limit, while it keeps out a
// copy from another host. Only bodies count, so waiting for a turn, a connection or the bucket is no
// fault of the source.
func (s snapshot) tooSlow(l limits) bool {
	slow := float64(s.Fetched) < s.Connected.Seconds()*float64(l.AverageRate)
	return slow && s.KeepsOut && s.Receiving && s.Connected >= averageGrace
}

// averageGrace is how long a copy receives bytes before its average rate counts.
const averageGrace = time.Minute

// record carries facts from one judgement to the next.
type record struct {
	Moved     int64     // Bytes, at the last judgement
	MovedAt   time.Time // When a byte moved last, or the copy waited last
	RenewedAt time.Time // When the lease was renewed last, or a renewal tried
	RefusedAt time.Time // When a purge first refused a renewal; zero if the last renewal was not refused
}

// limits are the times by which a copy is judged.
type limits struct {
	Stall time.Duration // A copy may move nothing for this long
	Renew time.Duration // The lease is renewed this often
	Grace time.Duration // A purge gets this long to cancel the workflow itself
	// AverageRate is the least average rate of a copy, in bytes a second; 0 is no limit.
	AverageRate int64
}

// judge decides what to do with a running copy, from its snapshot and the record of earlier
// judgements. It also returns the record for the next judgement. It does no I/O and reads no clock.
//
// A copy stalls if no byte moves for the stall limit. If a read of the source is in flight, the
// source is at its limit of connections and the copy waits for one: the copier itself cuts a source
// that sends too little. Otherwise the bucket accepts nothing.
//
// A copy that receives bytes below the average rate ends after a grace, so that it holds its slot for
// a time that its size bounds. It proceeds while it keeps out no copy from another host: the rate may
// be low because many copies share our own link.
//
// The lease is renewed every Renew if a byte moved since the last renewal, or if no read of the
// source is in flight. In the latter case the copy waits for the bucket, which may take minutes to
// complete a large object.
func judge(now time.Time, s snapshot, r record, l limits) (verdict, record) {
	if s.Moved != r.Moved || s.Waiting {
		r.Moved, r.MovedAt = s.Moved, now
	}
	switch {
	case now.Sub(r.MovedAt) > l.Stall && s.Reading:
		return sourceStalled, r
	case now.Sub(r.MovedAt) > l.Stall:
		return bucketStalled, r
	case s.tooSlow(l):
		return sourceTooSlow, r
	case now.Sub(r.RenewedAt) < l.Renew:
		return proceed, r
	case r.MovedAt.Before(r.RenewedAt) && s.Reading:
		return proceed, r
	}
	r.RenewedAt = now
	return renewLease, r
}

// judgeRenewal decides what to do after a renewal, which fails if the object was purged. A purge
// also cancels the workflow, which is the better end, but its message may be lost. So the copy ends
// by itself if a renewal is refused after the grace.
func judgeRenewal(now time.Time, refused bool, r record, l limits) (verdict, record) {
	switch {
	case !refused:
		r.RefusedAt = time.Time{}
	case r.RefusedAt.IsZero():
		r.RefusedAt = now
	case now.Sub(r.RefusedAt) >= l.Grace:
		return copyPurged, r
	}
	return proceed, r
}
