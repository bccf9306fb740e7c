package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Origin looks at sources. Its errors are [*origin.Error] or the context's.
type Origin interface {
	Head(ctx context.Context, url string) (origin.Meta, error)
}

// Bucket is where a pool's copies stand. Head fails with [storage.ErrNotFound].
type Bucket interface {
	Head(ctx context.Context, key string) (storage.Stored, error)
	Delete(ctx context.Context, key string) error
	copier.Aborter
}

// Cache is where front ends look. Put fails with [cache.ErrPurged] after a purge.
type Cache interface {
	Generation(ctx context.Context, key string) (int64, error)
	Put(ctx context.Context, key string, generation int64, e cache.Entry) error
	Abandon(ctx context.Context, key string) error
	Failures(ctx context.Context, key string) (int64, error)
}

// Observer is told what copies cost.
type Observer interface {
	Copied(pool string, bytes int64, took time.Duration)
	Failed(pool, class string)
}

// Owners tells which copies are running.
type Owners interface {
	// Running returns the hashes ([storage.Object.Hash]) of the pool's objects that a running workflow copies.
	Running(ctx context.Context, pool string) (map[string]bool, error)
}

// Activities are the activities of one pool. Every field must be set.
type Activities struct {
	Pool     storage.Pool
	Origin   Origin
	Bucket   Bucket
	Copier   *copier.Copier // from such an origin into such a bucket
	Cache    Cache
	Owners   Owners
	Sealer   *Sealer
	Rules    cache.Rules
	Observer Observer
	Now      func() time.Time
}

// bucketTimeout bounds the look for a copy that is there: without one it is made again, which is no harm.
const bucketTimeout = 10 * time.Second

// HeadSource finds out what there is to copy, under which purge generation, and whether the bucket has it already (a
// request may be delivered twice). It renews the lease, so that clients wait for this copy.
func (a *Activities) HeadSource(ctx context.Context, in HeadSourceInput) (HeadSourceResult, error) {
	out, err := a.headSource(ctx, in)
	return out, outcome(ctx, err)
}

func (a *Activities) headSource(ctx context.Context, in HeadSourceInput) (HeadSourceResult, error) {
	object, err := a.Sealer.Open(in.Source)
	if err != nil {
		return HeadSourceResult{}, err
	}
	out := HeadSourceResult{Generation: a.begin(ctx, object), CopyID: copyID(ctx)}

	// Both at the same time, each to its end: the source need not answer for a copy that is there.
	var stored storage.Stored
	var storedErr error
	var both sync.WaitGroup
	both.Go(func() { out.Meta, err = a.Origin.Head(ctx, object.URL) })
	both.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
		defer cancel()
		stored, storedErr = a.Bucket.Head(ctx, object.Key())
	})
	both.Wait()
	if storedErr != nil {
		return out, err
	}
	if out.Replaces = stored.ETag; a.usable(stored, out.Generation) {
		out.Stored = &Copy{Size: stored.Size, CRC64NVME: stored.CRC64NVME, Expires: stored.Expires}
		return out, nil
	}
	return out, err
}

// copyID names what HeadSource sees this time. The workflow may look again, and then means another version of the object.
func copyID(ctx context.Context) string {
	info := activity.GetInfo(ctx)
	return info.WorkflowExecution.RunID + "/" + info.ActivityID
}

// begin reads the generation and renews the lease. Without redis there is neither: the copy is then begun under the
// oldest generation and will not be trusted if there was a purge.
func (a *Activities) begin(ctx context.Context, o storage.Object) int64 {
	key := cache.Key(o.PoolID(), o.Hash())
	generation, err := a.Cache.Generation(ctx, key)
	if err == nil {
		err = a.Cache.Put(ctx, key, generation, a.Rules.Pending(a.Now(), owner(ctx), 0, -1))
	}
	if err != nil && ctx.Err() == nil {
		activity.GetLogger(ctx).Warn("going on without the cache", "error", err)
	}
	return generation
}

// usable tells whether a stored copy may be published: begun since the last purge, and not about to be deleted.
func (a *Activities) usable(s storage.Stored, generation int64) bool {
	return s.Generation >= generation && a.Rules.Present(a.Now(), s.Expires).State == cache.Present
}

// UpdateCache tells the front ends, and wakes the clients that wait: the copy is present, or it failed and why. A copy
// that was purged while it was made is not published: what is left of it goes, and it fails with class Purged.
func (a *Activities) UpdateCache(ctx context.Context, in UpdateCacheInput) error {
	return outcome(ctx, a.updateCache(ctx, in))
}

func (a *Activities) updateCache(ctx context.Context, in UpdateCacheInput) error {
	object, err := a.Sealer.Open(in.Source)
	if err != nil {
		return err
	}
	key := cache.Key(object.PoolID(), object.Hash())
	generation := in.Generation
	if f := in.Failure; f != nil && f.Class != ClassPurged && f.Class != ClassCancelled {
		// HeadSource may have failed before it knew the generation, and an error is no less true after a purge.
		generation = cache.AnyGeneration
	}
	entry := a.entry(ctx, key, in)
	err = a.Cache.Put(ctx, key, generation, entry)
	purged := errors.Is(err, cache.ErrPurged)
	if purged {
		// The copy may have landed after the purge's own deletion, even if it was cancelled.
		if err := a.discard(ctx, object, in.Generation); err != nil {
			return err
		}
	}
	if purged && in.Failure != nil || entry.State == cache.Absent {
		// Whoever asked again after the purge, or for a copy that is about to expire, waits for what does not come: free
		// them to ask for another.
		err = a.Cache.Abandon(ctx, key)
	}
	switch {
	case err == nil:
		a.report(ctx, object, in)
		return nil
	case errors.Is(err, cache.ErrPurged):
		return err
	default:
		return fmt.Errorf("%w: %w", errCache, err)
	}
}

// report tells operators what came of the copy.
func (a *Activities) report(ctx context.Context, o storage.Object, in UpdateCacheInput) {
	log := activity.GetLogger(ctx)
	if in.Copy != nil {
		log.Info("copy is there", "object", o.Key(), "bytes", in.Copy.Size)
		return
	}
	a.Observer.Failed(o.PoolID(), in.Failure.Class)
	log.Warn("not copied", "object", o.Key(), "class", in.Failure.Class, "cause", in.Failure.Text)
}

func (a *Activities) entry(ctx context.Context, key string, in UpdateCacheInput) cache.Entry {
	f := in.Failure
	switch {
	case in.Copy != nil:
		return a.Rules.Present(a.Now(), in.Copy.Expires)
	case f.Class == ClassDigest:
		// To be told at once, like a permanent failure, but it is one of a single request's: others may ask soon.
		e := a.Rules.Transient(a.Now(), 1, f.Class, f.Status, f.Text)
		e.Permanent = true
		return e
	case f.Permanent:
		return a.Rules.Failed(a.Now(), f.Class, f.Status, f.Text)
	}
	// If it can't be counted, it can't be put either.
	failures, _ := a.Cache.Failures(ctx, key)
	return a.Rules.Transient(a.Now(), failures, f.Class, f.Status, f.Text)
}

// discard deletes the copy if it is the one begun under the purged generation, and no newer one.
func (a *Activities) discard(ctx context.Context, o storage.Object, generation int64) error {
	stored, err := a.Bucket.Head(ctx, o.Key())
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err == nil && stored.Generation <= generation {
		err = a.Bucket.Delete(ctx, o.Key())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errStorage, err)
	}
	return nil
}

func owner(ctx context.Context) string { return activity.GetInfo(ctx).WorkflowExecution.RunID }
