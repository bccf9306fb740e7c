package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
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

// BypassList is the list of all bypasses.
type BypassList struct {
	// ID differs between a list and the one that redis lost before it. It is 0 if redis has no
	// list, for example after a flush, and [NamelessBypasses] for a list of an earlier build. A
	// list remains when its last bypass is removed.
	ID  int64
	All []Bypass // By name; those that have not ended
}

// NamelessBypasses is the id of every list of builds before 2026-11-28.
const NamelessBypasses = 1

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

// Bypasses returns the list of bypasses. Junk in redis is no bypass.
func (r *Redis) Bypasses(ctx context.Context) (list BypassList, err error) {
	s, err := r.bypasses(ctx)
	if err != nil {
		return BypassList{}, fmt.Errorf("get bypasses: %w", err)
	}
	list.ID = s.id
	for _, name := range slices.Sorted(maps.Keys(s.ends)) {
		list.All = append(list.All, Bypass{Name: name, Until: time.UnixMilli(s.ends[name])})
	}
	return list, nil
}

// RestoreBypasses writes a list that redis has lost. If redis has another list meanwhile, it adds
// the lost bypasses to that list, as many as the limit permits.
func (r *Redis) RestoreBypasses(ctx context.Context, lost BypassList) error {
	_, err := r.changeBypasses(ctx, func(s *storedBypasses) (bool, error) {
		if s.id == 0 {
			s.id = lost.ID
		}
		for _, b := range lost.All {
			if _, known := s.ends[b.Name]; !known && len(s.ends) < maxBypasses {
				s.ends[b.Name] = b.Until.UnixMilli()
			}
		}
		return true, nil
	})
	return err
}

// AddBypass adds a bypass, or changes its time. Front ends know it within two seconds.
func (r *Redis) AddBypass(ctx context.Context, b Bypass) error {
	if now := r.now(); len(b.Name) > maxBypassName || !b.Until.After(now) || b.Until.After(now.Add(MaxBypass)) {
		return fmt.Errorf("a bypass ends after now and within %s, and its name has at most %d bytes", MaxBypass, maxBypassName)
	}
	_, err := r.changeBypasses(ctx, func(s *storedBypasses) (bool, error) {
		if s.ends[b.Name] = b.Until.UnixMilli(); len(s.ends) > maxBypasses {
			return false, ErrManyBypasses
		}
		return true, nil
	})
	return err
}

// RemoveBypass ends a bypass. It returns false if there is none. Then it writes nothing: a list
// that redis has lost can still be restored.
func (r *Redis) RemoveBypass(ctx context.Context, name string) (removed bool, err error) {
	return r.changeBypasses(ctx, func(s *storedBypasses) (bool, error) {
		_, known := s.ends[name]
		delete(s.ends, name)
		return known, nil
	})
}

// changeBypasses writes a change if change returns true, and returns whether it did. It repeats a
// change that another change overtook. A list without an id gets one.
func (r *Redis) changeBypasses(ctx context.Context, change func(*storedBypasses) (bool, error)) (changed bool, err error) {
	for range bypassTries {
		s, err := r.bypasses(ctx)
		if err != nil {
			return false, fmt.Errorf("change bypasses: %w", err)
		}
		if write, err := change(&s); err != nil || !write {
			return false, err
		}
		if s.id >= 0 {
			s.id = -1 - rand.Int64N(1<<53-1) //nolint:gosec // No secret
		}
		changed, err := r.exchangeBypasses(ctx, s)
		if err != nil {
			return false, fmt.Errorf("change bypasses: %w", err)
		}
		if changed {
			return true, nil
		}
	}
	return false, errors.New("change bypasses: others change them all the time")
}

// exchangeBypasses replaces the list of bypasses if redis still has its former value.
func (r *Redis) exchangeBypasses(ctx context.Context, s storedBypasses) (changed bool, err error) {
	values := maps.Clone(s.ends)
	values[bypassListID] = s.id
	value, err := json.Marshal(values)
	if err != nil {
		return false, err
	}
	// The value has the ends. A full redis evicts the keys with the shortest times first.
	ttl := max(MaxBypass, r.tombstone)
	reply, err := r.run(ctx, r.scripts.exchange, bypassKey(r.prefix), s.value, string(value), ttl.Milliseconds(), maxBypassValue)
	if err != nil {
		return false, err
	}
	n, err := reply.Int()
	return n == 1, err
}

// storedBypasses is the list in redis.
type storedBypasses struct {
	value string // Empty for no list, for a long value, and for another type
	id    int64
	ends  map[string]int64 // By name, in Unix milliseconds; those that have not ended
}

// bypassListID is the name under which a list has its id. The id is negative: an earlier build
// takes it for a bypass that ended before 1970, and drops it.
const bypassListID = ""

// bypasses reads the list.
func (r *Redis) bypasses(ctx context.Context) (s storedBypasses, err error) {
	s.ends = map[string]int64{}
	v, err := r.value(ctx, bypassKey(r.prefix), maxBypassValue)
	if err != nil || v.junk || v.text == "" {
		return s, err
	}
	s.value = v.text
	if json.Unmarshal([]byte(v.text), &s.ends) != nil || s.ends == nil {
		s.ends = map[string]int64{} // Another program's value
	} else if s.id = s.ends[bypassListID]; s.id >= 0 {
		s.id = NamelessBypasses
	}
	now := r.now()
	maps.DeleteFunc(s.ends, func(name string, until int64) bool {
		end := time.UnixMilli(until)
		return name == bypassListID || len(name) > maxBypassName || !end.After(now) || end.After(now.Add(MaxBypass+maxSkew))
	})
	return s, nil
}
