package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// UpdateCacheInput is the input of [Activities.UpdateCache]: exactly one of Copy and Failure is
// set. An object that is too small has a Failure for earlier builds; see [TooSmallUpdate].
type UpdateCacheInput struct {
	Source SealedObject `json:"source"`
	// Generation is the generation of the copy if Known is set. Otherwise HeadSource failed before it
	// read the generation, or a build before 2026-11-25 sends the input.
	Generation int64    `json:"generation"`
	Known      bool     `json:"known,omitempty"`
	Copy       *Copy    `json:"copy,omitempty"`
	Failure    *Failure `json:"failure,omitempty"`
	// TooSmall is set for an object that is smaller than the minimum. Failure is ignored then.
	TooSmall *TooSmall `json:"tooSmall,omitempty"`
}

// UpdateCache publishes the copy, or records why there is none, and wakes the clients that wait. If
// the object was purged while the copy was made, it deletes the copy instead and fails with class
// Purged.
func (a *Activities) UpdateCache(ctx context.Context, in UpdateCacheInput) error {
	return outcome(ctx, a.updateCache(ctx, in))
}

func (a *Activities) updateCache(ctx context.Context, in UpdateCacheInput) error {
	object, err := a.Sealer.Open(in.Source)
	if err != nil {
		return err
	}
	key := a.Space.Key(object.Hash())
	if in.TooSmall != nil {
		in.Failure = nil
	}
	generation := in.Generation
	if f := in.Failure; f != nil && f.Class != ClassPurged && !in.Known && generation == 0 {
		generation = cache.AnyGeneration
	}
	if in.Copy != nil && in.Copy.found() && in.Copy.SHA256 == "" {
		in.Copy.SHA256 = a.knownSHA256(ctx, key, *in.Copy)
	}
	entry := a.entry(ctx, key, in)
	err = a.Cache.Put(ctx, key, generation, entry)
	purged := errors.Is(err, cache.ErrPurged)
	if purged {
		// The copy may have been stored after the purge deleted the object, even if it was
		// cancelled.
		if err := a.discard(ctx, object, in.Generation); err != nil {
			return err
		}
	}
	if purged && in.Failure != nil {
		// Clients that asked again after the purge wait for a copy that won't come. Delete the
		// pending entry, so that they can request another.
		err = a.Cache.Abandon(ctx, key)
	}
	switch {
	case err == nil:
		a.report(ctx, object, in, entry)
		return nil
	case errors.Is(err, cache.ErrPurged):
		return err
	default:
		return fmt.Errorf("%w: %w", errCache, err)
	}
}

// knownSHA256 returns the digest of a copy that was found in the bucket, if the cache still has it. The
// metadata of a copy in parts lacks it.
func (a *Activities) knownSHA256(ctx context.Context, key string, c Copy) string {
	e, err := a.Cache.Get(ctx, key)
	if err != nil || e.State != cache.Present || e.Expires.Unix() != c.Expires.Unix() {
		return ""
	}
	return e.SHA256
}

// report logs the outcome of the copy, and counts a failure or a small object.
func (a *Activities) report(ctx context.Context, o storage.Object, in UpdateCacheInput, entry cache.Entry) {
	log := activity.GetLogger(ctx)
	if in.Copy != nil {
		log.Info("copy completed", "object", o.Key(), "bytes", in.Copy.Size)
		return
	}
	if in.TooSmall != nil {
		a.Observer.TooSmall(o.PoolID())
		log.Info("object too small to copy", "object", o.Key(), "bytes", in.TooSmall.Size, "minimum", in.TooSmall.MinSize)
		return
	}
	a.Observer.Failed(o.PoolID(), in.Failure.Class)
	if entry.Unmirrorable {
		a.Observer.Unmirrorable(o.PoolID(), in.Failure.Class)
	}
	log.Warn("copy failed", "object", o.Key(), "class", in.Failure.Class, "cause", in.Failure.Text)
}

// maxWorkflows is how many workflows in a row may fail because of how the source answers. Then the
// object counts as unmirrorable.
const maxWorkflows = 3

// entry returns the cache entry for the outcome of the copy.
func (a *Activities) entry(ctx context.Context, key string, in UpdateCacheInput) cache.Entry {
	f := in.Failure
	switch {
	case in.TooSmall != nil:
		return a.Rules.TooSmall(a.Now(), in.TooSmall.Size)
	case in.Copy != nil:
		if e := a.Rules.Present(a.Now(), cache.Copy{Expires: in.Copy.Expires, SHA256: in.Copy.SHA256, Size: in.Copy.Size}); e.State == cache.Present {
			return e
		}
		// Another copy would expire as soon. Clients that wait would make one after the other.
		return a.Rules.Failed(a.Now(), cache.Reason{Class: ClassExpired, Text: "the bucket deletes the copy within cache.expiry_margin"})
	case f.Permanent && !f.ofShape(), f.Class == ClassCancelled:
		// Clients that wait must not restart a copy that an operator cancelled.
		return a.Rules.Failed(a.Now(), f.reason())
	}
	// Ignore the error: if redis can't count the failure, the Put fails as well.
	row, _ := a.Cache.Failures(ctx, key, f.Class, owner(ctx), a.Rules.FailuresTTL())
	switch {
	case f.ofShape() && row.Same >= maxWorkflows, f.Class == ClassRejected && f.Repeats:
		return a.Rules.Unmirrorable(a.Now(), f.reason())
	case f.Permanent:
		return a.Rules.Failed(a.Now(), f.reason())
	}
	e := a.Rules.Transient(a.Now(), row.All, f.reason())
	if after := a.Now().Add(f.RetryAfter); after.After(e.Deadline) {
		e.Deadline = after
	}
	// A client waits for the end of a back-off only if the next try may end differently.
	e.Permanent = f.Repeats || row.Same > 1
	return e
}

// reason returns the failure as a cache entry holds it.
func (f Failure) reason() cache.Reason {
	return cache.Reason{Class: f.Class, Status: f.Status, AboutObject: f.AboutObject, Text: f.Text}
}

// discard deletes the stored copy unless it is newer than the purged generation.
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
