package cache

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func keptRules() Rules {
	return Rules{
		TTL: time.Hour, ExpiryMargin: time.Minute, Lease: time.Minute, NegativeTTL: time.Minute, UnmirrorableTTL: time.Hour,
		RetryAfter: time.Second, RetryMax: time.Minute,
	}
}

// keptEntries are entries as redis holds them, and whether they take the short form.
func keptEntries(now time.Time) map[string]struct {
	entry Entry
	short bool
} {
	rules, digest := keptRules(), strings.Repeat("0a", 32)
	return map[string]struct {
		entry Entry
		short bool
	}{
		"present":            {rules.Present(now, Copy{}), true},
		"that expires":       {rules.Present(now, Copy{Expires: now.Add(10 * time.Hour), Size: 5}), true},
		"with a digest":      {rules.Present(now, Copy{Size: 5, SHA256: digest}), true},
		"of an empty object": {rules.Present(now, Copy{SHA256: digest}), true},
		"too small":          {rules.TooSmall(now, 3), false},
		"failed":             {rules.Failed(now, Reason{Class: ClassBadHTTPStatus, Status: 404, AboutObject: true, Text: strings.Repeat("x", 500)}), false},
		"of a run":           {ofRun(rules.Unmirrorable(now, Reason{Class: ClassInternal, Text: "why"})), false},
		"not mirrorable":     {rules.Unmirrorable(now, Reason{Class: ClassInternal, Text: "why"}), false},
		"pending":            {rules.Pending(now, "owner", 1, 2), false},
		"that is retried":    {Entry{State: Pending, Deadline: now.Add(time.Second), Attempts: 2, NextRetry: now}, false},
	}
}

// ofRun adds a run id of the longest size to an entry.
func ofRun(e Entry) Entry {
	e.Run = strings.Repeat("r", 500)
	return e
}

// decoded returns the entry as a read of redis does.
func decoded(t *testing.T, key string, e Entry, now time.Time) Entry {
	t.Helper()
	value, err := encode(key, e)
	require.NoError(t, err)
	e, err = decode(key, value, now, keptRules())
	require.NoError(t, err)
	return e
}

func TestKeptEntriesAreTheSame(t *testing.T) {
	now := time.Now()
	for name, tc := range keptEntries(now) {
		t.Run(name, func(t *testing.T) {
			e := decoded(t, "key", tc.entry, now)
			k := keep(e)
			require.Equal(t, e, k.entry())
			require.Equal(t, tc.short, k.other == nil)
			require.Zero(t, testing.AllocsPerRun(100, func() { _ = k.entry() }))
		})
	}
	require.Equal(t, Entry{}, keep(Entry{}).entry())
	precise := Entry{State: Present, Deadline: now.Add(time.Hour)} // No entry in redis is as precise.
	require.Equal(t, precise, keep(precise).entry())
}

// reachable returns the bytes that are reachable.
func reachable() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // The first run only finds objects with finalizers.
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// maxKept is the bound of an entry and its key in memory, in bytes: a third of the memory of kept
// redirects. With garbage, a million of these then take less than 1.2 GiB.
const maxKept = 1288 * 100 / 175 / 3

// The estimates of entries are within a fifth of the memory that they hold.
func TestSizeOfKeptEntries(t *testing.T) {
	const n = 20_000
	now := time.Now()
	space := NewSpace(DefaultPrefix, "s3_us-west-2", "", "bucket")
	for name, tc := range keptEntries(now) {
		if !tc.entry.Final() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			cache := NewNearCache(&Redis{now: time.Now}, NearCacheOptions{Entries: 100 * n, Bytes: n * 1000})
			before := reachable()
			for i := range n {
				key := space.Key(fmt.Sprintf("%064x", i))
				cache.finish(&load{key: key, entry: decoded(t, key, tc.entry, now), done: make(chan struct{})})
			}
			measured := (reachable() - before) / n
			cache.entries.Load().CleanUp()
			require.Equal(t, n, cache.Len(), "some were evicted")
			estimate := int64(cache.entries.Load().WeightedSize()) / n
			t.Logf("%d bytes each, estimated as %d", measured, estimate)
			require.InEpsilon(t, measured, estimate, 0.2)
			if tc.entry.State == Present && tc.entry.SHA256 == "" {
				require.LessOrEqual(t, measured, int64(maxKept))
			}
			runtime.KeepAlive(cache)
		})
	}
}
