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
// until they end. If redis has lost them, it writes them again, also if an operator has begun
// another list meanwhile. The zero value knows none. It is safe for concurrent use.
type Bypasses struct {
	// OnChange, if set, is called with the names of all bypasses after each change. Set it before Run.
	OnChange func(names []string)

	known atomic.Pointer[map[string]time.Time] // By name; nil if there are none
	last  BypassList                           // Of the last read
}

// BypassStore holds the bypasses; see [Redis].
type BypassStore interface {
	// Bypasses returns the list of bypasses.
	Bypasses(ctx context.Context) (BypassList, error)
	// RestoreBypasses writes a lost list, or adds its bypasses to the list that took its place.
	RestoreBypasses(ctx context.Context, lost BypassList) error
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
	list, err := r.Bypasses(ctx)
	if err == nil && b.lost(list.ID) {
		now := time.Now()
		current := slices.DeleteFunc(slices.Clone(b.last.All), func(l Bypass) bool { return !l.Until.After(now) })
		if err = r.RestoreBypasses(ctx, BypassList{ID: b.last.ID, All: current}); err == nil {
			list, err = r.Bypasses(ctx)
		}
	}
	if err != nil {
		return // The cache itself reports that redis is down.
	}
	var ends *map[string]time.Time
	if len(list.All) > 0 {
		ends = &map[string]time.Time{}
	}
	for _, bypass := range list.All {
		(*ends)[bypass.Name] = bypass.Until
	}
	b.known.Store(ends)
	before, after := names(b.last.All), names(list.All)
	b.last = list
	if b.OnChange != nil && !slices.Equal(before, after) {
		b.OnChange(after)
	}
}

// lost reports whether redis has lost the last list, and bypasses with it. A list of an earlier
// build has no id: such a build may have removed bypasses from the last list.
func (b *Bypasses) lost(id int64) bool {
	return len(b.last.All) > 0 && (id == 0 || id != NamelessBypasses && b.last.ID != NamelessBypasses && id != b.last.ID)
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

// Covering returns the bypass among all that covers objects of a canonical URL in the pool. A
// bypass has a name, unless there is none.
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
