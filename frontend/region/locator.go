package region

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// defaultInterval suits a document that changes a few times a week.
	defaultInterval = time.Hour
	// defaultMaxBytes is far above what AWS's document has, about 2 MB, and does no harm in memory.
	defaultMaxBytes = 64 << 20
	defaultTimeout  = 30 * time.Second
	// firstRetry is the pause after the first of several failures; every further one is twice as long.
	firstRetry = 5 * time.Second
)

// Options is how clients are found. Source and Pools must be set.
type Options struct {
	// Source of the document of IP ranges: a file's path, or an http or https URL. Errors show no more of a URL than
	// its host and path.
	Source string
	// Interval is the time between two loads of the document; 1 h if it is 0.
	Interval time.Duration
	// Report is told of every load that failed; nil tells nobody. It is called by Load and Run.
	Report func(error)
	// TrustedHops is the number of proxies between clients and the front end, see [ClientAddr].
	TrustedHops int

	// Pools are the regions that have a pool.
	Pools []string
	// Nearest gives a region without a pool one that has a pool.
	Nearest map[string]string
	// Default is the region of clients that are unknown or in a region without a pool near it; empty is none.
	Default string

	// MaxBytes is the size up to which a document is read; 64 MiB if it is 0.
	MaxBytes int64
	// Timeout is how long the download of a document may take; 30 s if it is 0.
	Timeout time.Duration
	// After is the clock that paces loads; [time.After] if it is nil.
	After func(time.Duration) <-chan time.Time
}

// Locator finds out where clients are. It is safe for concurrent use, but for Load and Run.
type Locator struct {
	table    atomic.Pointer[table] // nil until the first document is there
	source   *source
	pools    map[string]string
	fallback string
	hops     int
	interval time.Duration
	report   func(error)
	after    func(time.Duration) <-chan time.Time
	failures int // in a row
}

// New returns a locator that knows no addresses yet. It does no I/O; an error says what is wrong with the options.
func New(o Options) (*Locator, error) {
	if o.Interval < 0 || o.Timeout < 0 || o.MaxBytes < 0 || o.TrustedHops < 0 {
		return nil, errors.New("interval, timeout, size and trusted proxies must not be negative")
	}
	pools, err := poolRegions(&o)
	if err != nil {
		return nil, err
	}
	source, err := newSource(o.Source, cmp.Or(o.MaxBytes, defaultMaxBytes), cmp.Or(o.Timeout, defaultTimeout))
	if err != nil {
		return nil, err
	}
	l := &Locator{
		source: source, pools: pools, fallback: o.Default, hops: o.TrustedHops,
		interval: cmp.Or(o.Interval, defaultInterval), report: o.Report, after: o.After,
	}
	if l.report == nil {
		l.report = func(error) {}
	}
	if l.after == nil {
		l.after = time.After
	}
	return l, nil
}

// Load loads the document for the first time. A file that is not there or not good is an error, since it will hardly
// mend itself; trouble with a URL is reported and left to [Locator.Run], and until then no address is known. It takes up
// to the timeout; Run loads at once if Load has not been called.
func (l *Locator) Load(ctx context.Context) error {
	err := l.load(ctx)
	if err != nil && l.source.remote {
		l.report(err)
		return nil
	}
	return err
}

// Run loads the document again and again until the context is done: every interval, and after a failure sooner, in 5 s,
// 10 s, 20 s and so on up to the interval. It must not be called twice, nor beside Load.
func (l *Locator) Run(ctx context.Context) {
	for l.waitForNext(ctx) {
		if err := l.load(ctx); err != nil && ctx.Err() == nil {
			l.report(err)
		}
	}
}

// load swaps the table for a new one, if there is one.
func (l *Locator) load(ctx context.Context) error {
	t, err := l.source.load(ctx)
	if err != nil {
		l.failures++
		return fmt.Errorf("load IP ranges from %s: %w", l.source.name, err)
	}
	l.failures = 0
	if t != nil {
		l.table.Store(t)
	}
	return nil
}

// waitForNext returns false if the context is done before the next load is due.
func (l *Locator) waitForNext(ctx context.Context) bool {
	if l.table.Load() == nil && l.failures == 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-l.after(retryDelay(l.failures, l.interval)):
		return ctx.Err() == nil
	}
}

// retryDelay is the time until the next load, after that many failures in a row.
func retryDelay(failures int, interval time.Duration) time.Duration {
	if failures == 0 {
		return interval
	}
	d := firstRetry
	for range failures - 1 {
		if d >= interval {
			break
		}
		d *= 2
	}
	return min(d, interval)
}

// Locate returns the region with a pool that a request's client is to use, or false if there is none.
func (l *Locator) Locate(r *http.Request) (region string, ok bool) {
	a, ok := ClientAddr(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), l.hops)
	if !ok {
		a = netip.Addr{}
	}
	return l.Choose(a)
}

// Choose returns the region with a pool that a client at this address is to use: the client's own or the nearest, else
// the default, else false. The zero address is a client that is not known.
func (l *Locator) Choose(a netip.Addr) (region string, ok bool) {
	if t := l.table.Load(); t != nil {
		if pool, ok := l.pools[t.region(normalize(a))]; ok {
			return pool, true
		}
	}
	return l.fallback, l.fallback != ""
}
