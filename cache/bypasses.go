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
// until they end. If redis has lost them, it writes them again. The zero value knows none. It is safe
// for concurrent use.
type Bypasses struct {
	// OnChange, if set, is called with the names of all bypasses after each change. Set it before Run.
	OnChange func(names []string)

	known atomic.Pointer[map[string]time.Time] // By name; nil if there are none
	last  []Bypass                             // Of the last read
}

// BypassStore holds the bypasses; see [Redis].
type BypassStore interface {
	// Bypasses returns all bypasses that have not ended, by name. known is false if there is no list.
	Bypasses(ctx context.Context) (all []Bypass, known bool, err error)
	// RestoreBypasses writes a list, unless there is one.
	RestoreBypasses(ctx context.Context, all []Bypass) error
}

// Run reads the bypasses every second until ctx ends.
func (b *Bypasses) Run(ctx context.Context, r BypassStore) {
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

func (b *Bypasses) read(ctx context.Context, r BypassStore) {
	ctx, cancel := context.WithTimeout(ctx, bypassTimeout)
	defer cancel()
	all, known, err := r.Bypasses(ctx)
	if !known && err == nil && len(b.last) > 0 {
		now := time.Now()
		all = slices.DeleteFunc(slices.Clone(b.last), func(l Bypass) bool { return !l.Until.After(now) })
		err = r.RestoreBypasses(ctx, all)
	}
	if err != nil {
		return // The cache itself reports that redis is down.
	}
	var ends *map[string]time.Time
	if len(all) > 0 {
		ends = &map[string]time.Time{}
	}
	for _, bypass := range all {
		(*ends)[bypass.Name] = bypass.Until
	}
	b.known.Store(ends)
	before, after := names(b.last), names(all)
	b.last = all
	if b.OnChange != nil && !slices.Equal(before, after) {
		b.OnChange(after)
	}
}

func names(all []Bypass) (names []string) {
	for _, b := range all {
		names = append(names, b.Name)
	}
	return names
}

// Any reports whether there may be a bypass. It takes a nanosecond.
func (b *Bypasses) Any() bool { return b.known.Load() != nil }

// Covers reports whether objects of a canonical URL are not copied into the pool now.
func (b *Bypasses) Covers(pool, url string, now time.Time) bool {
	known := b.known.Load()
	if known == nil {
		return false
	}
	return slices.ContainsFunc(bypassesOf(pool, url), func(name string) bool { return (*known)[name].After(now) })
}

// Covering returns the bypass among all that covers objects of a canonical URL in the pool. A bypass has
// a name, unless there is none.
func Covering(all []Bypass, pool, url string) Bypass {
	of := bypassesOf(pool, url)
	for _, b := range all {
		if slices.Contains(of, b.Name) {
			return b
		}
	}
	return Bypass{}
}

// bypassesOf returns the names of the bypasses that cover objects of a canonical URL in the pool.
func bypassesOf(pool, url string) []string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return []string{BypassOfPool(pool), BypassOfHost(host)}
}
