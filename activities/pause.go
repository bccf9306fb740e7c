package activities

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// MaxAttempts is how many attempts of one StreamCopy may fail. Its retry policy has no limit,
// because the server counts every attempt, also those that only waited for their turn.
const MaxAttempts = 8

// Pauses are the pauses between the attempts of a series: First, and then twice as long each time,
// up to Longest.
type Pauses struct{ First, Longest time.Duration }

// RetryPauses returns the pauses between failed attempts of a StreamCopy with the first request, or
// of one for a large object. The retry policies in package workflows have the same. The server
// however doubles the pause with every attempt, also with those that used up none.
func RetryPauses(first bool) Pauses {
	if first {
		return Pauses{500 * time.Millisecond, 30 * time.Second}
	}
	return Pauses{time.Second, time.Minute}
}

// after returns the pause after the n-th attempt.
func (p Pauses) after(n int32) time.Duration {
	pause := p.First
	for ; n > 1 && pause < p.Longest; n-- {
		pause *= 2
	}
	return min(pause, p.Longest)
}

// until returns the time from the n-th attempt's failure to the next attempt. The server takes the
// requested delay if there is one, and the policy's pause otherwise.
func (p Pauses) until(n int32, requested time.Duration) time.Duration {
	return cmp.Or(requested, p.after(n))
}

// turnPause returns the pause before the next attempt of a copy that waits for its turn, after a
// number of attempts that used up none. Half of it is random, so that copies don't return together.
func turnPause(free int32) time.Duration {
	pause := Pauses{time.Second, 30 * time.Second}.after(free)
	return pause/2 + rand.N(pause/2) //nolint:gosec // it hides nothing
}
