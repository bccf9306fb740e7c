package supervise

import "time"

const (
	minPause   = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	resetAfter = 10 * time.Second
)

// backoff computes the pause before a restart.
type backoff struct{ last time.Duration }

// next returns the pause after a process with the given uptime.
func (b *backoff) next(uptime time.Duration) time.Duration {
	if uptime >= resetAfter || b.last == 0 {
		b.last = minPause
	} else {
		b.last = min(2*b.last, maxPause)
	}
	return b.last
}
