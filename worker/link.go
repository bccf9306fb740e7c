package worker

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// misses is the limit of failed checks in a row.
const misses = 3

// A link records whether a dependency answers. It is safe for concurrent use.
type link struct {
	missing     string // begins the error while it is down
	patience    time.Duration
	lastSuccess prometheus.Gauge // Unix time

	mu sync.Mutex
	// failing is the start of the first failed call since the last success; zero if no call failed.
	// err is the error of the last failed call.
	failing time.Time
	err     error
}

func newLink(missing string, patience time.Duration, lastSuccess prometheus.Gauge) *link {
	return &link{missing: missing, patience: patience, lastSuccess: lastSuccess}
}

// tried records the result of a call that began at start.
func (l *link) tried(start time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.failing, l.err = time.Time{}, nil
		l.lastSuccess.SetToCurrentTime()
	case l.failing.IsZero():
		l.failing, l.err = start, err
	default:
		l.err = err
	}
}

// down returns an error if every call has failed for longer than the patience.
func (l *link) down(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing.IsZero() || now.Sub(l.failing) < l.patience {
		return nil
	}
	return fmt.Errorf("%s since %s: %w", l.missing, l.failing.UTC().Format(time.RFC3339), l.err)
}
