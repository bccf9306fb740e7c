package cache

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// bypassInterval is the time between two reads of the bypasses, and bypassTimeout bounds a read.
	bypassInterval = time.Second
	bypassTimeout  = time.Second
)

// Bypasses knows the bypasses that redis has. While redis does not answer, it knows the last ones
// until they end. The zero value knows none. It is safe for concurrent use.
type Bypasses struct {
	// OnChange, if set, is called with the names of all bypasses after each change. Set it before Run.
	OnChange func(names []string)

	known atomic.Pointer[map[string]time.Time] // By name; nil if there are none
	names []string                             // Of the last read
}

// BypassReader reads the bypasses; see [Redis.Bypasses].
type BypassReader interface {
	// Bypasses returns all bypasses that have not ended, by name.
	Bypasses(ctx context.Context) ([]Bypass, error)
}

// Run reads the bypasses every second until ctx ends.
func (b *Bypasses) Run(ctx context.Context, r BypassReader) {
	ticker := time.NewTicker(bypassInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		b.read(ctx, r)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (b *Bypasses) read(ctx context.Context, r BypassReader) {
	ctx, cancel := context.WithTimeout(ctx, bypassTimeout)
	defer cancel()
	all, err := r.Bypasses(ctx)
	if err != nil {
		return // The cache itself reports that redis is down.
	}
	var names []string
	now := map[string]time.Time{}
	for _, bypass := range all {
		names = append(names, bypass.Name)
		now[bypass.Name] = bypass.Until
	}
	known := &now
	if len(now) == 0 {
		known = nil
	}
	b.known.Store(known)
	if b.OnChange != nil && !slices.Equal(names, b.names) {
		b.OnChange(names)
	}
	b.names = names
}

// Any reports whether there may be a bypass. It takes a nanosecond.
func (b *Bypasses) Any() bool { return b.known.Load() != nil }

// Covers reports whether objects of a canonical URL are not copied into the pool now.
func (b *Bypasses) Covers(pool, url string, now time.Time) bool {
	known := b.known.Load()
	if known == nil {
		return false
	}
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return (*known)[BypassOfPool(pool)].After(now) || (*known)[BypassOfHost(host)].After(now)
}
