package worker

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// misses is the limit of failed checks in a row.
const misses = 3

// A dependency records for the readiness whether Temporal or SQS answers. It is safe for concurrent
// use.
type dependency struct {
	missing     string // begins the error while it is down
	patience    time.Duration
	lastSuccess func() prometheus.Gauge // Unix time. It registers the series.

	mu sync.Mutex
	// failing is the start of the first failed call since the last success; zero if no call failed.
	// err is the error of the last failed call.
	failing time.Time
	err     error
}

func newDependency(missing string, patience time.Duration, lastSuccess func() prometheus.Gauge) *dependency {
	return &dependency{missing: missing, patience: patience, lastSuccess: lastSuccess}
}

// tried records the result of a call that began at start. The first call registers the series: a
// worker without a bridge never calls SQS, and a series of 0 would look like an outage.
func (d *dependency) tried(start time.Time, err error) {
	last := d.lastSuccess()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.failing, d.err = time.Time{}, nil
		last.SetToCurrentTime()
	case d.failing.IsZero():
		d.failing, d.err = start, err
	default:
		d.err = err
	}
}

// down returns an error if every call has failed for longer than the patience.
func (d *dependency) down(now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing.IsZero() || now.Sub(d.failing) < d.patience {
		return nil
	}
	return fmt.Errorf("%s since %s: %w", d.missing, d.failing.UTC().Format(time.RFC3339), d.err)
}
