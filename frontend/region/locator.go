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
	// defaultMaxBytes is far above the size of AWS's document, about 2 MB, and does no harm in
	// memory.
	defaultMaxBytes = 64 << 20
	defaultTimeout  = 30 * time.Second
	// firstRetry is the pause after the first of several failures. Every further pause is twice as
	// long.
	firstRetry = 5 * time.Second
)

// Options configures a Locator. Source and Pools are required.
type Options struct {
	// IPRanges is the document of IP ranges: a file's path, or an http or https URL. Errors show no
	// more of a URL than its host and path.
	IPRanges string
	// Reload is the time between two loads of the document; 0 means 1 h.
	Reload time.Duration
	// Report receives the error of every load that failed; nil discards them. Run calls it.
	Report func(error)
	// TrustedHops is the number of proxies between clients and the front end: see [ClientAddr].
	TrustedHops int

	// Pools are the regions that have a pool.
	Pools []string
	// Nearest maps a region without a pool to a region that has a pool.
	Nearest map[string]string
	// Default is the region of clients with an unknown address, or in a region without a pool near
	// it. Empty means none.
	Default string

	// MaxBytes is the largest size of a document, in bytes; 0 means 64 MiB.
	MaxBytes int64
	// Timeout is the longest duration of a download of the document; 0 means 30 s.
	Timeout time.Duration
	// After is the clock that paces loads; nil means [time.After].
	After func(time.Duration) <-chan time.Time
}

// Locator finds the regions of clients. It is safe for concurrent use, except for Load and Run.
type Locator struct {
	table    atomic.Pointer[table] // nil until the first document is loaded
	source   *source
	pools    map[string]string
	fallback string
	hops     int
	interval time.Duration
	report   func(error)
	after    func(time.Duration) <-chan time.Time
	failures int // in a row
}

// New returns a locator that knows no addresses yet. It does no I/O. Its error names the invalid
// option.
func New(o Options) (*Locator, error) {
	if o.Reload < 0 || o.Timeout < 0 || o.MaxBytes < 0 || o.TrustedHops < 0 {
		return nil, errors.New("interval, timeout, size and trusted proxies must not be negative")
	}
	pools, err := poolRegions(&o)
	if err != nil {
		return nil, err
	}
	source, err := newSource(o.IPRanges, cmp.Or(o.MaxBytes, defaultMaxBytes), cmp.Or(o.Timeout, defaultTimeout))
	if err != nil {
		return nil, err
	}
	l := &Locator{
		source: source, pools: pools, fallback: o.Default, hops: o.TrustedHops,
		interval: cmp.Or(o.Reload, defaultInterval), report: o.Report, after: o.After,
	}
	if l.report == nil {
		l.report = func(error) {}
	}
	if l.after == nil {
		l.after = time.After
	}
	return l, nil
}

// Load loads a document in a file. A missing or invalid file is an error, since it will hardly
// repair itself. Load leaves a URL to [Locator.Run]: a server that is down must not stop a start.
func (l *Locator) Load(ctx context.Context) error {
	if l.source.remote {
		return nil
	}
	return l.load(ctx)
}

// Run loads the document every interval until the context is done. It loads at once if [Locator.Load]
// has not loaded it. After a failure it loads sooner: in 5 s, 10 s, 20 s and so on, up to the
// interval. It must not be called twice, nor concurrently with Load.
func (l *Locator) Run(ctx context.Context) {
	for l.waitForNext(ctx) {
		if err := l.load(ctx); err != nil && ctx.Err() == nil {
			l.report(err)
		}
	}
}

// load replaces the table, unless the document has not changed.
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

// waitForNext waits until the next load is due. It returns false if the context is done first.
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

// retryDelay returns the time until the next load, after the given number of failures in a row.
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

// Locate returns the pool region for the client of a request, or false if there is none.
func (l *Locator) Locate(r *http.Request) (region string, ok bool) {
	a, ok := ClientAddr(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), l.hops)
	if !ok {
		a = netip.Addr{}
	}
	return l.Choose(a)
}

// Choose returns the pool region for a client at this address: the client's own or its nearest,
// otherwise the default, otherwise false. The zero address is an unknown client.
func (l *Locator) Choose(a netip.Addr) (region string, ok bool) {
	if t := l.table.Load(); t != nil {
		if pool, ok := l.pools[t.region(normalize(a))]; ok {
			return pool, true
		}
	}
	return l.fallback, l.fallback != ""
}
