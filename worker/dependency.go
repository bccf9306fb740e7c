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
	// failed is the end of the last failed call, and err its error.
	failing, failed time.Time
	err             error
}

func newDependency(missing string, patience time.Duration, lastSuccess func() prometheus.Gauge) *dependency {
	return &dependency{missing: missing, patience: patience, lastSuccess: lastSuccess}
}

// tried records the result of a call from start to end. The first call registers the series: a
// worker without a bridge never calls SQS, and a series of 0 would look like an outage.
func (d *dependency) tried(start, end time.Time, err error) {
	last := d.lastSuccess()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.failing, d.failed, d.err = time.Time{}, time.Time{}, nil
		last.SetToCurrentTime()
	case d.failing.IsZero():
		d.failing, d.failed, d.err = start, end, err
	default:
		d.failed, d.err = end, err
	}
}

// down returns an error if every call has failed for longer than the patience. A failure from which
// no further call followed proves nothing: a bridge that holds enough messages receives no more.
// Calls that keep failing reach the last of the misses, or one lasts as long.
func (d *dependency) down(now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	lastMiss := d.patience * (misses - 1) / misses
	if d.failing.IsZero() || now.Sub(d.failing) < d.patience || d.failed.Sub(d.failing) < lastMiss {
		return nil
	}
	return fmt.Errorf("%s since %s: %w", d.missing, d.failing.UTC().Format(time.RFC3339), d.err)
}
