package flight

import (
	"context"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Cache holds the entries of objects; see [cache.NearCache]. Any error except [cache.ErrPurged]
// means that redis is unavailable: callers degrade, or fail as Purge does. They don't retry.
type Cache interface {
	// Read reads redis; it never answers from memory.
	Read(ctx context.Context, key string) (cache.Entry, error)
	// Acquire takes the object's lease: it stores the pending entry mine. It returns false and the
	// object's entry if there is one.
	Acquire(ctx context.Context, key string, mine cache.Entry) (cache.Entry, bool, error)
	// Swap replaces the entry from by another entry with the same deadline, and returns whether it
	// did. It does not if the entry has changed since.
	Swap(ctx context.Context, key string, from, to cache.Entry) (bool, error)
	// Release drops a lease that Acquire returned, unless the entry has changed since.
	Release(ctx context.Context, key string, lease cache.Entry) error
	// Drop deletes the entry if it still is e, and returns whether it did.
	Drop(ctx context.Context, key string, e cache.Entry) (bool, error)
	// Claim takes the claim on verifying the object for the time of d, or another claim by its key.
	// It returns 0 to the caller that took it, and otherwise how long the current claim lasts.
	Claim(ctx context.Context, key string, d time.Duration) (time.Duration, error)
	// Put stores an entry. It fails with [cache.ErrPurged] if the object was purged since
	// generation.
	Put(ctx context.Context, key string, generation int64, e cache.Entry) error
	// Purge drops the entry and returns the object's new generation, which only grows.
	Purge(ctx context.Context, key string) (int64, error)
}

// Watcher wakes flights when an entry changes; see [cache.Watcher].
type Watcher interface {
	// Wait subscribes to an entry. The caller calls stop once.
	Wait(key string) (changed <-chan struct{}, stop func())
	// Up reports whether changes arrive: false while redis is down.
	Up() bool
}

// Queue takes copy requests; see [queue.Queue]. An error means that the request was not accepted,
// or that its acceptance is unknown; a request that is sent twice does no harm.
type Queue interface {
	Send(ctx context.Context, r queue.Request) error
}

// Bucket stores a pool's copies; see [storage.Bucket].
type Bucket interface {
	// Head fails with [storage.ErrNotFound] if the bucket has no such object.
	Head(ctx context.Context, key string) (storage.Stored, error)
	// Delete succeeds if there is no such object.
	Delete(ctx context.Context, key string) error
	// Location returns the URL for method (GET or HEAD). It does no I/O except for credentials.
	Location(ctx context.Context, method, key string, expires time.Time) (storage.Location, error)
}

// Pool pairs a storage pool with its bucket.
type Pool struct {
	storage.Pool
	Bucket Bucket
	// Space makes the cache keys of the bucket's objects.
	Space cache.Space

	verifier *verifier // nil if copies are not verified
}
