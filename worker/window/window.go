package window

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Flight is how long a copy is in flight, at most. A small object takes a fraction of it. A copy
// that takes longer waits for its source or its bucket, and not for Temporal.
const Flight = 250 * time.Millisecond

// The window grows if Temporal accepts a workflow within calm times the usual time. It shrinks if
// that takes more than busy times as long, or fails. While all copies of a window start, it grows
// by one, or shrinks by the share shrinkage.
const (
	minWindow, maxWindow = 1, 1000
	calm, busy           = 2, 3
	shrinkage            = 0.3
	// doubling is the time in which the usual time doubles, unless a workflow is faster. So a
	// Temporal that has become slower for good is usual after some minutes, and one that is busy
	// with a burst is not.
	doubling = 4 * time.Minute
	// The median time of the last many workflows is usual, and lets the window grow. That of the
	// last few lets it shrink. The times of an idle Temporal differ so much that a few fast ones
	// would make most others slow.
	few, many = 5, 31
)

// Window limits the copies that a bridge has in flight. The zero value has the smallest size. It is
// safe for concurrent use.
type Window struct {
	mu       sync.Mutex
	size     float64
	inFlight int
	usual    time.Duration // Of a start, at the time at; 0 is unknown
	at       time.Time
	last     []time.Duration // The times of the last starts, many at most
}

// Limit returns how many copies may be in flight, at least 1.
func (w *Window) Limit() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int(max(w.size, minWindow))
}

// Enter begins a flight.
func (w *Window) Enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inFlight++
}

// Leave ends a flight.
func (w *Window) Leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inFlight--
}

// Started records how long Temporal took to accept a workflow. A window that is not half used does
// not grow: its workflows say nothing about more of them.
func (w *Window) Started(took time.Duration, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = append(w.last, took)
	w.last = w.last[max(len(w.last)-many, 0):]
	w.size = max(w.size, minWindow)
	all, latest := median(w.last), median(w.last[max(len(w.last)-few, 0):])
	if len(w.last) >= few {
		if w.usual == 0 {
			w.usual, w.at = all, now
		}
		// After a long pause the grown time does not fit into a Duration.
		grown := float64(w.usual) * math.Exp2(now.Sub(w.at).Seconds()/doubling.Seconds())
		w.usual = max(time.Duration(min(float64(all), grown)), time.Microsecond)
		w.at = now
	}
	switch {
	case w.usual > 0 && latest > busy*w.usual:
		w.size = max(w.size-shrinkage, minWindow)
	case (w.usual == 0 || max(all, latest) < calm*w.usual) && 2*w.inFlight >= int(w.size):
		w.size = min(w.size+1/w.size, maxWindow)
	}
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// Refused records that Temporal did not accept an attempt, for example because it was too slow.
func (w *Window) Refused() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.size = max(w.size-shrinkage, minWindow)
}
