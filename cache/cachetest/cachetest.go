package cachetest

import (
	"context"
	"testing"
	"time"

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
	// purged after generation. An entry that is not present does not replace a present one, and a
	// pending entry does not replace the error of its run. Neither is an error.
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

// Key returns the key of an object with that hash, in a pool and bucket for tests. Any text is a
// hash.
func Key(hash string) string {
	return cache.NewSpace(cache.DefaultPrefix, "s3_test", "", "bucket").Key(hash)
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
		"no renewal replaces the error of its own run":  endedRun,
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
		t.Run(name, func(t *testing.T) { test(t, c, Key(prefix+name)) })
	}
}
