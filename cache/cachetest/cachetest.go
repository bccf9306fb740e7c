package cachetest

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// Cache is the contract that [Run] checks. Unless a method names another error, its error means
// that the cache failed, for example because redis is unavailable. No method retries.
type Cache interface {
	// Get returns the entry. It is Absent if there is none or if its deadline has passed.
	Get(ctx context.Context, key string) (cache.Entry, error)

	// Acquire stores the caller's pending entry until its deadline if there is no entry. It returns
	// the current entry and whether that is the caller's own. Of any number of concurrent callers,
	// exactly one caller gets the lease.
	Acquire(ctx context.Context, key string, mine cache.Entry) (cache.Entry, bool, error)

	// Swap replaces the entry if it is still equal to from, and returns whether it did. Both have
	// the same deadline.
	Swap(ctx context.Context, key string, from, to cache.Entry) (bool, error)

	// Release deletes the entry if it still is lease. Otherwise it does nothing and returns nil.
	Release(ctx context.Context, key string, lease cache.Entry) error

	// Drop deletes the entry if it still is e, and returns whether it did.
	Drop(ctx context.Context, key string, e cache.Entry) (bool, error)

	// Claim takes the claim on verifying the object for the time of d. It returns 0 to the caller
	// that took it, and otherwise how long the current claim lasts. Exactly one of any number of
	// concurrent callers takes it. No claim affects the entry.
	Claim(ctx context.Context, key string, d time.Duration) (time.Duration, error)

	// Abandon deletes a pending entry of any owner. Otherwise it does nothing and returns nil.
	Abandon(ctx context.Context, key string) error

	// Generation returns the generation of the last purge, 0 if there was none.
	Generation(ctx context.Context, key string) (int64, error)

	// Put stores the entry until its deadline. It fails with [cache.ErrPurged] if the object was
	// purged after generation. An entry that is not present does not replace a present one, which
	// is no error.
	Put(ctx context.Context, key string, generation int64, e cache.Entry) error

	// Purge deletes the entry and the count of failures. It returns the new generation, which is
	// greater than all before it.
	Purge(ctx context.Context, key string) (int64, error)

	// Failures counts a failure with a class, once for a run, and returns the row that it ends. A
	// present entry, a purge, or ttl without a failure ends the row.
	Failures(ctx context.Context, key, class, run string, ttl time.Duration) (cache.Row, error)
}

var (
	_ Cache = (*Memory)(nil)
	_ Cache = (*cache.Redis)(nil)
	_ Cache = (*cache.NearCache)(nil)
)

// Rules returns rules for tests, in which no entry expires before the test ends.
func Rules() cache.Rules {
	return cache.Rules{
		TTL: time.Hour, ExpiryMargin: time.Minute, Lease: time.Minute, NegativeTTL: time.Minute, RetryAfter: time.Minute,
		RetryMax: time.Hour, UnmirrorableTTL: 2 * time.Hour,
	}
}

// Run checks the contract of [Cache]. Every case uses its own keys.
func Run(t *testing.T, c Cache) {
	t.Helper()
	prefix := t.Name() + time.Now().String()
	for name, test := range map[string]func(*testing.T, Cache, string){
		"an object without an entry is absent":          absent,
		"get returns the entry that was put":            roundTrip,
		"an entry is absent after its deadline":         deadline,
		"one of many callers gets the lease":            oneLease,
		"a released lease can be acquired":              releasedLease,
		"an expired lease can be acquired":              expiredLease,
		"another owner's lease is not released":         foreignLease,
		"abandon deletes only pending entries":          abandonPending,
		"pending and error do not replace present":      presentKept,
		"pending replaces error":                        retry,
		"one of many callers swaps an entry":            oneSwap,
		"a purge deletes the entry":                     purge,
		"a copy from before a purge can't be published": staleGeneration,
		"generations grow":                              generationsGrow,
		"failures are counted until there is a copy":    failures,
		"an entry is dropped unless it has changed":     dropUnchanged,
		"one of many callers takes the claim":           oneClaim,
		"an expired claim can be taken":                 expiredClaim,
		"a claim does not affect the entry":             claimAside,
	} {
		t.Run(name, func(t *testing.T) { test(t, c, cache.Key("s3_test", prefix+name)) })
	}
}

// Watcher is the contract that [RunWakes] checks.
type Watcher interface {
	// Wait returns a channel that receives a value when the entry changes, and a function that ends
	// the wait.
	Wait(key string) (changed <-chan struct{}, stop func())
}

var (
	_ Watcher = (*Memory)(nil)
	_ Watcher = (*cache.Watcher)(nil)
)

// RunWakes checks which entries wake the waiters of c. The watcher w must be up.
func RunWakes(t *testing.T, c Cache, w Watcher) {
	t.Helper()
	now := time.Now()
	pending, known := Rules().Pending(now, "a", 0, -1), Rules().Pending(now, "a", 0, -1)
	known.SHA256 = strings.Repeat("0a", 32)
	further := known
	further.Done++
	another := known
	another.SHA256 = strings.Repeat("0b", 32)
	present := Rules().Present(now, cache.Copy{})
	failed := Rules().Failed(now, cache.Reason{Class: "x"})
	none := cache.Entry{}
	for name, tc := range map[string]struct {
		before, after cache.Entry
		want          bool
	}{
		"pending":                         {none, pending, false},
		"pending, renewed":                {pending, Rules().Pending(now, "a", 1, -1), false},
		"pending, with a digest":          {pending, known, true},
		"pending, with the same digest":   {known, further, false},
		"pending, with another digest":    {known, another, true},
		"pending, without a digest":       {known, pending, false},
		"pending after a failure":         {failed, pending, false},
		"pending, which does not replace": {present, known, false},
		"present":                         {pending, present, true},
		"present without an entry before": {none, present, true},
		"present again":                   {present, present, false},
		"present, with another deadline":  {present, Rules().Present(now.Add(time.Second), cache.Copy{}), true},
		"failed":                          {pending, failed, true},
		"failed, which does not replace":  {present, failed, false},
	} {
		t.Run(name, func(t *testing.T) {
			key := cache.Key("s3_test", t.Name()+time.Now().String())
			if tc.before != none {
				require.NoError(t, c.Put(t.Context(), key, 0, tc.before))
			}
			awaitWakes(t, c, w)
			changed, stop := w.Wait(key)
			defer stop()
			require.NoError(t, c.Put(t.Context(), key, 0, tc.after))
			awaitWakes(t, c, w)
			require.Equal(t, tc.want, len(changed) == 1)
		})
	}
}

// awaitWakes waits until all earlier changes have woken their waiters. Wakes keep the order of the
// changes.
func awaitWakes(t *testing.T, c Cache, w Watcher) {
	t.Helper()
	key := cache.Key("s3_test", t.Name()+"last"+time.Now().String())
	changed, stop := w.Wait(key)
	defer stop()
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	select {
	case <-changed:
	case <-time.After(5 * time.Second):
		require.Fail(t, "a present entry woke no waiter within 5 s")
	}
}

func absent(t *testing.T, c Cache, key string) {
	e, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Absent, e.State)
	g, err := c.Generation(t.Context(), key)
	require.NoError(t, err)
	require.Zero(t, g)
}

func roundTrip(t *testing.T, c Cache, key string) {
	now := time.Now().Truncate(time.Millisecond)
	for _, e := range []cache.Entry{
		Rules().Pending(now, "me", 1, 2),
		{State: cache.Pending, Deadline: now.Add(time.Minute), Low: true, SHA256: strings.Repeat("0a", 32)},
		Rules().Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true, Text: "private"}),
		Rules().Unmirrorable(now, cache.Reason{Class: "SourceTruncated", Text: "private"}),
		Rules().Present(now, cache.Copy{Expires: now.Add(24 * time.Hour).Truncate(time.Second)}),
	} {
		require.NoError(t, c.Put(t.Context(), key, 0, e))
		require.Equal(t, e, get(t, c, key))
	}
}

func deadline(t *testing.T, c Cache, key string) {
	soon := cache.Entry{State: cache.Present, Deadline: time.Now().Add(50 * time.Millisecond)}
	require.NoError(t, c.Put(t.Context(), key, 0, soon))
	require.Equal(t, cache.Present, get(t, c, key).State)
	require.Eventually(t, func() bool { return get(t, c, key).State == cache.Absent }, 5*time.Second, 5*time.Millisecond)
	require.False(t, time.Now().Before(soon.Deadline))
}

func oneLease(t *testing.T, c Cache, key string) {
	var got sync.Map
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			e, mine, err := c.Acquire(t.Context(), key, lease(strconv.Itoa(i), time.Minute))
			if err == nil && mine {
				got.Store(e.Owner, true)
			}
		})
	}
	all.Wait()
	owners := 0
	got.Range(func(owner, _ any) bool {
		owners++
		require.Equal(t, owner, get(t, c, key).Owner)
		return true
	})
	require.Equal(t, 1, owners)
}

func releasedLease(t *testing.T, c Cache, key string) {
	lease := acquire(t, c, key, "a", time.Minute)
	require.NoError(t, c.Release(t.Context(), key, lease))
	acquire(t, c, key, "b", time.Minute)
}

func expiredLease(t *testing.T, c Cache, key string) {
	acquire(t, c, key, "a", 50*time.Millisecond)
	require.Eventually(t, func() bool {
		_, mine, err := c.Acquire(t.Context(), key, lease("b", time.Minute))
		return err == nil && mine
	}, 5*time.Second, 5*time.Millisecond)
}

func foreignLease(t *testing.T, c Cache, key string) {
	lease := acquire(t, c, key, "a", time.Minute)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "b", 0, -1)))
	require.NoError(t, c.Release(t.Context(), key, lease))
	require.Equal(t, "b", get(t, c, key).Owner)
}

func abandonPending(t *testing.T, c Cache, key string) {
	require.NoError(t, c.Abandon(t.Context(), key))
	acquire(t, c, key, "a", time.Minute)
	require.NoError(t, c.Abandon(t.Context(), key))
	require.Equal(t, cache.Absent, get(t, c, key).State)

	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	require.NoError(t, c.Abandon(t.Context(), key))
	require.Equal(t, cache.Present, get(t, c, key).State)
}

func presentKept(t *testing.T, c Cache, key string) {
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "a", 0, -1)))
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Failed(time.Now(), cache.Reason{Class: "x"})))
	require.Equal(t, cache.Present, get(t, c, key).State)
}

func retry(t *testing.T, c Cache, key string) {
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Failed(time.Now(), cache.Reason{Class: "x"})))
	require.Equal(t, cache.Error, get(t, c, key).State)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "a", 0, -1)))
	require.Equal(t, cache.Pending, get(t, c, key).State)
}

func oneSwap(t *testing.T, c Cache, key string) {
	from := lease("a", time.Minute)
	from.Low = true
	to := from
	to.Low = false
	swapped, err := c.Swap(t.Context(), key, from, to)
	require.NoError(t, err)
	require.False(t, swapped, "there is no entry")

	_, mine, err := c.Acquire(t.Context(), key, from)
	require.NoError(t, err)
	require.True(t, mine)
	var swaps atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if swapped, err := c.Swap(t.Context(), key, from, to); assert.NoError(t, err) && swapped {
				swaps.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, swaps.Load())
	require.Equal(t, to, get(t, c, key))
}

func purge(t *testing.T, c Cache, key string) {
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	_, err := c.Purge(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Absent, get(t, c, key).State)
}

func staleGeneration(t *testing.T, c Cache, key string) {
	before, err := c.Generation(t.Context(), key)
	require.NoError(t, err)
	after, err := c.Purge(t.Context(), key)
	require.NoError(t, err)

	present := Rules().Present(time.Now(), cache.Copy{})
	require.ErrorIs(t, c.Put(t.Context(), key, before, present), cache.ErrPurged)
	require.ErrorIs(t, c.Put(t.Context(), key, after-1, Rules().Pending(time.Now(), "a", 0, -1)), cache.ErrPurged)
	require.Equal(t, cache.Absent, get(t, c, key).State)
	require.NoError(t, c.Put(t.Context(), key, after, present))
	require.Equal(t, cache.Present, get(t, c, key).State)
	require.NoError(t, c.Put(t.Context(), key, cache.AnyGeneration, present))
}

func generationsGrow(t *testing.T, c Cache, key string) {
	last := int64(0)
	for range 5 {
		g, err := c.Purge(t.Context(), key)
		require.NoError(t, err)
		require.Greater(t, g, last)
		now, err := c.Generation(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, g, now)
		last = g
	}
}

func failures(t *testing.T, c Cache, key string) {
	run := 0
	count := func(class string, all, same int64) {
		t.Helper()
		run++
		for range 2 { // UpdateCache may run again
			row, err := c.Failures(t.Context(), key, class, strconv.Itoa(run), time.Minute)
			require.NoError(t, err)
			require.Equal(t, cache.Row{All: all, Same: same}, row)
		}
	}
	count("x", 1, 1)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Transient(time.Now(), 1, cache.Reason{Class: "x"})))
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "a", 0, -1)))
	count("x", 2, 2)
	count("y", 3, 1)
	count("x", 4, 1)
	count("x", 5, 2)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	count("x", 1, 1)
	_, err := c.Purge(t.Context(), key)
	require.NoError(t, err)
	count("x", 1, 1)
}

func dropUnchanged(t *testing.T, c Cache, key string) {
	now := time.Now()
	older, newer := Rules().Present(now, cache.Copy{Expires: now.Add(24 * time.Hour)}), Rules().Present(now.Add(time.Second), cache.Copy{Expires: now.Add(25 * time.Hour)})
	drop := func(e cache.Entry) bool {
		t.Helper()
		dropped, err := c.Drop(t.Context(), key, e)
		require.NoError(t, err)
		return dropped
	}
	require.False(t, drop(older), "there is no entry")
	require.NoError(t, c.Put(t.Context(), key, 0, older))
	read := get(t, c, key)
	require.NoError(t, c.Put(t.Context(), key, 0, newer))
	require.False(t, drop(read), "the entry has changed")
	read = get(t, c, key)
	require.Equal(t, newer.Deadline.UnixMilli(), read.Deadline.UnixMilli())
	require.True(t, drop(read))
	require.Equal(t, cache.Absent, get(t, c, key).State)
	require.False(t, drop(read))
}

func oneClaim(t *testing.T, c Cache, key string) {
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			left, err := c.Claim(t.Context(), key, time.Minute)
			switch {
			case assert.NoError(t, err) && left == 0:
				taken.Add(1)
			default:
				assert.Positive(t, left)
				assert.LessOrEqual(t, left, time.Minute)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, taken.Load())
	left, err := c.Claim(t.Context(), key+"2", time.Minute)
	require.NoError(t, err)
	require.Zero(t, left, "a claim on one object is a claim on another")
}

func expiredClaim(t *testing.T, c Cache, key string) {
	start := time.Now()
	left, err := c.Claim(t.Context(), key, 50*time.Millisecond)
	require.NoError(t, err)
	require.Zero(t, left)
	require.Eventually(t, func() bool {
		left, err := c.Claim(t.Context(), key, time.Minute)
		require.LessOrEqual(t, left, 50*time.Millisecond)
		return err == nil && left == 0
	}, 5*time.Second, 5*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
}

func claimAside(t *testing.T, c Cache, key string) {
	left, err := c.Claim(t.Context(), key, time.Minute)
	require.NoError(t, err)
	require.Zero(t, left)
	require.Equal(t, cache.Absent, get(t, c, key).State)
	acquire(t, c, key, "a", time.Minute)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	left, err = c.Claim(t.Context(), key, time.Minute)
	require.NoError(t, err)
	require.Positive(t, left, "the entry released the claim")
	require.Equal(t, cache.Present, get(t, c, key).State)
}

func get(t *testing.T, c Cache, key string) cache.Entry {
	t.Helper()
	e, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	return e
}

// lease returns a pending entry that expires after d.
func lease(owner string, d time.Duration) cache.Entry {
	return cache.Entry{State: cache.Pending, Owner: owner, Deadline: time.Now().Add(d).Truncate(time.Millisecond), Total: -1}
}

func acquire(t *testing.T, c Cache, key, owner string, d time.Duration) cache.Entry {
	t.Helper()
	e, mine, err := c.Acquire(t.Context(), key, lease(owner, d))
	require.NoError(t, err)
	require.True(t, mine, "lease of %s", owner)
	return e
}
