package auditor

import (
	"context"
	"sync"
	"time"
)

// lagTick is the interval at which a Lag is due. Lateness below it does not count.
const lagTick = 20 * time.Millisecond

// A Lag measures how late this machine runs a goroutine that is due. It is safe for concurrent use.
type Lag struct {
	mu    sync.Mutex
	spans []lateness
}

type lateness struct {
	at time.Time
	by time.Duration
}

// Run measures until ctx ends.
func (l *Lag) Run(ctx context.Context) {
	tick := time.NewTicker(lagTick)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if by := now.Sub(last) - lagTick; by > lagTick {
			l.Add(by)
		}
		last = now
	}
}

// Add records lateness that ends now.
func (l *Lag) Add(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spans = append(l.spans, lateness{time.Now(), by})
}

// Since returns the sum of all lateness since a time.
func (l *Lag) Since(at time.Time) (sum time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.spans) - 1; i >= 0 && l.spans[i].at.After(at); i-- {
		sum += l.spans[i].by
	}
	return sum
}
