package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Bypass names a pool, or a source host, whose objects are not copied for a time. Clients get the
// source.
type Bypass struct {
	Name  string // See [BypassOfPool] and [BypassOfHost].
	Until time.Time
}

const (
	// MaxBypass bounds the time of a bypass, so that a forgotten one ends.
	MaxBypass = 30 * 24 * time.Hour
	// maxBypasses is the limit of bypasses at the same time.
	maxBypasses = 100
	// maxBypassName is the longest name, in bytes. All bypasses fit into one value.
	maxBypassName = 300
	// maxBypassValue is the limit of the stored value, in bytes.
	maxBypassValue = maxBypasses * (maxBypassName + 32)
	// bypassTries is how often a change is tried while others change the value too.
	bypassTries = 20
)

// ErrManyBypasses is returned for a bypass beyond the limit.
var ErrManyBypasses = fmt.Errorf("there are %d bypasses already: remove one", maxBypasses)

// BypassOfPool is the name of a bypass of a pool.
func BypassOfPool(id string) string { return "pool:" + id }

// BypassOfHost is the name of a bypass of a source's host and port, as in a canonical URL.
func BypassOfHost(host string) string { return "host:" + strings.ToLower(host) }

// Bypasses returns all bypasses that have not ended, by name. Junk in redis is no bypass. known is
// false if redis has no list of them, for example after a flush. A list remains when its last bypass
// is removed.
func (r *Redis) Bypasses(ctx context.Context) (all []Bypass, known bool, err error) {
	value, ends, err := r.bypasses(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("get bypasses: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(ends)) {
		all = append(all, Bypass{Name: name, Until: time.UnixMilli(ends[name])})
	}
	return all, value != "", nil
}

// RestoreBypasses writes a list of bypasses, unless redis has one.
func (r *Redis) RestoreBypasses(ctx context.Context, all []Bypass) error {
	ends := map[string]int64{}
	for _, b := range all {
		ends[b.Name] = b.Until.UnixMilli()
	}
	if _, err := r.exchangeBypasses(ctx, "", ends); err != nil {
		return fmt.Errorf("restore bypasses: %w", err)
	}
	return nil
}

// AddBypass adds a bypass, or changes its time. Front ends know it within two seconds.
func (r *Redis) AddBypass(ctx context.Context, b Bypass) error {
	if now := r.now(); len(b.Name) > maxBypassName || !b.Until.After(now) || b.Until.After(now.Add(MaxBypass)) {
		return fmt.Errorf("a bypass ends after now and within %s, and its name has at most %d bytes", MaxBypass, maxBypassName)
	}
	_, err := r.changeBypasses(ctx, func(all map[string]int64) error {
		if all[b.Name] = b.Until.UnixMilli(); len(all) > maxBypasses {
			return ErrManyBypasses
		}
		return nil
	})
	return err
}

// RemoveBypass ends a bypass. It returns false if there is none.
func (r *Redis) RemoveBypass(ctx context.Context, name string) (removed bool, err error) {
	before, err := r.changeBypasses(ctx, func(all map[string]int64) error { delete(all, name); return nil })
	_, removed = before[name]
	return removed, err
}

// changeBypasses applies a change, and returns the bypasses before it. It repeats a change that
// another change overtook.
func (r *Redis) changeBypasses(ctx context.Context, change func(map[string]int64) error) (before map[string]int64, err error) {
	for range bypassTries {
		old, all, err := r.bypasses(ctx)
		if err != nil {
			return nil, fmt.Errorf("change bypasses: %w", err)
		}
		before = maps.Clone(all)
		if err := change(all); err != nil {
			return nil, err
		}
		changed, err := r.exchangeBypasses(ctx, old, all)
		if err != nil {
			return nil, fmt.Errorf("change bypasses: %w", err)
		}
		if changed {
			return before, nil
		}
	}
	return nil, errors.New("change bypasses: others change them all the time")
}

// exchangeBypasses replaces the list of bypasses if redis has the old value. An empty one is none.
func (r *Redis) exchangeBypasses(ctx context.Context, old string, ends map[string]int64) (changed bool, err error) {
	value, err := json.Marshal(ends)
	if err != nil {
		return false, err
	}
	// The value has the ends. A full redis evicts the keys with the shortest times first.
	ttl := max(MaxBypass, r.tombstone)
	reply, err := r.run(ctx, r.scripts.exchange, bypassKey(r.prefix), old, string(value), ttl.Milliseconds(), maxBypassValue)
	if err != nil {
		return false, err
	}
	n, err := reply.Int()
	return n == 1, err
}

// bypasses returns the stored value, and the bypasses in it that have not ended, with their ends in
// Unix milliseconds. Junk has the value of no list.
func (r *Redis) bypasses(ctx context.Context) (value string, all map[string]int64, err error) {
	v, err := r.value(ctx, bypassKey(r.prefix), maxBypassValue)
	if err != nil {
		return "", nil, err
	}
	if v.junk {
		return "", map[string]int64{}, nil
	}
	if json.Unmarshal([]byte(v.text), &all) != nil || all == nil {
		all = map[string]int64{} // Another program's value
	}
	now := r.now()
	maps.DeleteFunc(all, func(name string, until int64) bool {
		end := time.UnixMilli(until)
		return len(name) > maxBypassName || !end.After(now) || end.After(now.Add(MaxBypass+maxSkew))
	})
	return v.text, all, nil
}
