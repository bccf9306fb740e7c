package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

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
	Generation int64 `json:"generation"`
	Known      bool  `json:"known,omitempty"`
	Copy       *Copy `json:"copy,omitempty"`
	// CopyID is that of StreamCopy.
	CopyID  string   `json:"copyID,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
	// TooSmall is set for an object that is smaller than the minimum. Failure is ignored then.
	TooSmall *TooSmall `json:"tooSmall,omitempty"`
}

// UpdateCache publishes the copy, or records why there is none, and wakes the clients that wait. It
// publishes only a copy that the bucket has, and fails with class CopyMissing otherwise. If the
// object was purged while the copy was made, it deletes the copy instead and fails with class
// Purged.
func (a *Activities) UpdateCache(ctx context.Context, in UpdateCacheInput) error {
	return outcome(ctx, a.updateCache(ctx, in))
}

func (a *Activities) updateCache(ctx context.Context, in UpdateCacheInput) error {
	object, err := a.open(in.Source)
	if err != nil {
		return err
	}
	key := a.Space.Key(object.Hash())
	if in.TooSmall != nil {
		in.Failure = nil
	}
	if in.Copy != nil {
		if in.Copy, err = a.confirmed(ctx, object, key, in); err != nil {
			return a.refused(ctx, object, key, in, err)
		}
	}
	generation := in.Generation
	if f := in.Failure; f != nil && f.Class != ClassPurged && !in.Known && generation == 0 {
		generation = cache.AnyGeneration
	}
	entry := a.entry(ctx, key, in)
	if in.Failure != nil {
		entry.Attempts = in.Failure.Attempts
	}
	if entry.State == cache.Error {
		entry.Run = owner(ctx)
	}
	if ctx.Err() != nil { // The workflow does not wait for a local attempt that has timed out
		return ctx.Err()
	}
	if err = a.Cache.Put(ctx, key, generation, entry); err != nil {
		err = a.refused(ctx, object, key, in, err)
	}
	if err == nil {
		a.report(ctx, object, in, entry)
	}
	return err
}

// refused ends an UpdateCache that could not store its entry because of err. If the object was
// purged, the copy may have been stored after the purge deleted the object, even if it was
// cancelled: refused discards it.
func (a *Activities) refused(ctx context.Context, o storage.Object, key string, in UpdateCacheInput, err error) error {
	var abandoned error
	switch {
	case errors.Is(err, errCopyMissing), errors.Is(err, errStorage):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.Is(err, cache.ErrPurged):
		return fmt.Errorf("%w: %w", errCache, err)
	case in.Failure != nil:
		// Clients that asked again after the purge wait for a copy that won't come. Delete the
		// pending entry first, so that they can request another even if the bucket is down.
		if abandoned = a.Cache.Abandon(ctx, key); abandoned != nil {
			abandoned = fmt.Errorf("%w: %w", errCache, abandoned)
		}
	}
	discarded := a.discard(ctx, o, in.Generation)
	if in.Failure != nil {
		return errors.Join(discarded, abandoned)
	}
	if discarded != nil {
		// The workflow records the purge next, and tries again. If a request waits, the workflow makes
		// the next copy instead, which replaces this one. Neither publishes this copy.
		activity.GetLogger(ctx).Warn("purged copy not deleted", "object", o.Key(), "error", discarded)
	}
	return cache.ErrPurged
}

// headTimeout bounds the HEAD of a copy that is about to be published: less than the activity's own
// timeout, so that its failure is reported.
const headTimeout = 5 * time.Second

// errCopyMissing is the error of a copy that the bucket does not have.
var errCopyMissing = errors.New("the bucket does not have the copy")

// confirmed returns the copy as the bucket has it. It fails with errCopyMissing unless the bucket
// has this very copy, or one that was found there and may be used. An operator can complete an
// activity by hand, so its result is no proof. If the object was purged, the error is
// [cache.ErrPurged].
func (a *Activities) confirmed(ctx context.Context, o storage.Object, key string, in UpdateCacheInput) (*Copy, error) {
	head, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	stored, err := a.Bucket.Head(head, o.Key())
	missing := errors.Is(err, storage.ErrNotFound)
	if err != nil && !missing {
		return nil, fmt.Errorf("%w: %w", errStorage, err)
	}
	if missing || !in.isCopy(stored) {
		generation, err := a.Cache.Generation(ctx, key)
		switch {
		case err != nil:
			return nil, err
		case generation > in.Generation:
			return nil, cache.ErrPurged
		case missing:
			return nil, fmt.Errorf("%w: it has no such object", errCopyMissing)
		}
		return nil, fmt.Errorf("%w: it has another object, of %d bytes instead of %d", errCopyMissing, stored.Size, in.Copy.Size)
	}
	c := *in.Copy
	c.SHA256, c.Expires = cmp.Or(stored.SHA256, c.SHA256), stored.Expires
	if c.found() && c.SHA256 == "" {
		c.SHA256 = a.knownSHA256(ctx, key, c)
	}
	return &c, nil
}

// isCopy reports whether the stored object is the copy to publish. Inputs of builds before
// 2026-11-26 have no copy id.
func (in UpdateCacheInput) isCopy(s storage.Stored) bool {
	switch {
	case s.Size != in.Copy.Size:
		return false
	case in.CopyID != "" && s.CopyID == in.CopyID:
		return true
	}
	return (in.CopyID == "" || in.Copy.found()) && s.Generation >= in.Generation
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
		log.Info("object too small to copy", "object", o.Key(), "bytes", in.TooSmall.Size, "min_bytes", in.TooSmall.MinSize)
		return
	}
	if in.Failure.cancelled() {
		log.Info("copy cancelled", "object", o.Key(), "class", in.Failure.Class, "error", in.Failure.Text)
		return
	}
	log.Warn("copy failed", "object", o.Key(), "class", in.Failure.Class, "error", in.Failure.Text)
	a.Observer.Failed(o.PoolID(), in.Failure.Class, in.Failure.Status)
	if entry.Unmirrorable {
		a.Observer.Unmirrorable(o.PoolID(), in.Failure.Class)
	}
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
	case f.Permanent && !f.ofShape(), f.cancelled(), EndedByOperator(f.Class):
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
