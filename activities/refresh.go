package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// The results of a refresh.
const (
	Refreshed          = "refreshed"   // The bucket keeps the copy for another lifespan
	RefreshEarly       = "early"       // The copy is not in the last quarter of its life
	RefreshReplaced    = "replaced"    // The bucket has no such copy any more: it was purged, deleted or replaced
	RefreshUnsupported = "unsupported" // The server can't copy the object onto itself, or keeps its age
	RefreshFailed      = "failed"      // The bucket or redis failed; the copy is as before
)

// RefreshResults returns all results of a refresh.
func RefreshResults() []string {
	return []string{Refreshed, RefreshEarly, RefreshReplaced, RefreshUnsupported, RefreshFailed}
}

// RefreshInput is the input of [Activities.Refresh].
type RefreshInput struct {
	Source SealedObject `json:"source"`
}

// RefreshResult is the result of [Activities.Refresh].
type RefreshResult struct {
	// Result is one of [RefreshResults].
	Result string `json:"result"`
	// Cause is the error class of a failure.
	Cause string `json:"cause,omitempty"`
	// Expires is when the bucket deletes the copy; absent if it never does, or has none.
	Expires time.Time `json:"expires,omitzero"`
}

// Refresh has the bucket keep a copy that is in the last quarter of its life: the server copies it
// onto itself. Refresh sends nothing to the source. Then it publishes the new expiry, unless the
// object was purged meanwhile. A refresh that fails leaves the copy as it was.
func (a *Activities) Refresh(ctx context.Context, in RefreshInput) (RefreshResult, error) {
	out, err := a.refresh(ctx, in)
	if err != nil {
		if ctx.Err() != nil || !lastTry(ctx) {
			return RefreshResult{}, outcome(ctx, err)
		}
		out = RefreshResult{Result: RefreshFailed, Cause: failure(err).Class}
		activity.GetLogger(ctx).Warn("copy not refreshed", "source", in.Source.URL, "error", failure(err).Text)
	}
	a.Observer.Refreshed(in.Source.Pool(), out.Result)
	return out, nil
}

func (a *Activities) refresh(ctx context.Context, in RefreshInput) (RefreshResult, error) {
	object, err := a.open(in.Source)
	if err != nil {
		return RefreshResult{}, err
	}
	key := a.Space.Key(object.Hash())
	// Without redis, a purge is unknown, and the copy may be a purged one.
	generation, err := a.Cache.Generation(ctx, key)
	if err != nil {
		return RefreshResult{}, fmt.Errorf("%w: %w", errCache, err)
	}
	stored, _, err := a.headCopy(ctx, object)
	id := refreshID(ctx)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return RefreshResult{Result: RefreshReplaced}, nil
	case err != nil:
		return RefreshResult{}, err
	case stored.Generation < generation:
		return a.overtaken(ctx, object, id) // An attempt before may have restored the object.
	}
	out := RefreshResult{Result: RefreshEarly}
	digest := a.digest(ctx, key, stored, id)
	if a.lastQuarter(stored) {
		stored, err = a.renew(ctx, object, stored, id)
		switch {
		case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotFound):
			return RefreshResult{Result: RefreshReplaced}, nil
		case errors.Is(err, storage.ErrUnsupported):
			return RefreshResult{Result: RefreshUnsupported, Cause: ClassStorage}, nil
		case err != nil:
			return RefreshResult{}, err
		}
	}
	switch {
	case a.lastQuarter(stored):
		out.Result = RefreshUnsupported // The server copied, and kept the age
	case stored.CopyID == id:
		out.Result = Refreshed
	}
	out.Expires = stored.Expires
	return a.publish(ctx, object, stored, digest, out)
}

// refreshID returns the copy id of an object that this refresh has the server store. All attempts
// share it.
func refreshID(ctx context.Context) string { return "refresh/" + owner(ctx) }

// lastQuarter reports whether the bucket deletes the copy within a quarter of its life. A copy
// lives for the pool's lifespan, or for less if the bucket's own rule says so: a shorter rule must
// not have each refresh cause the next.
func (a *Activities) lastQuarter(s storage.Stored) bool {
	if s.Expires.IsZero() || a.Pool.Lifespan <= 0 {
		return false
	}
	life := a.Pool.Lifespan
	if !s.Headers.LastModified.IsZero() {
		life = min(life, s.Expires.Sub(s.Headers.LastModified))
	}
	return s.Expires.Sub(a.Now()) < life/4
}

// renew has the server copy the object onto itself. If the server stored other bytes, the object is
// gone, and renew purges the entry: the next client's request makes another copy.
func (a *Activities) renew(ctx context.Context, o storage.Object, old storage.Stored, id string) (storage.Stored, error) {
	stored, err := a.Bucket.Refresh(ctx, o.Key(), old.ETag, id, func(int64) { activity.RecordHeartbeat(ctx) })
	if err == nil {
		return stored, nil
	}
	if errors.Is(err, storage.ErrMismatch) {
		_, purgeErr := a.Cache.Purge(context.WithoutCancel(ctx), a.Space.Key(o.Hash()))
		err = errors.Join(err, purgeErr)
	}
	return storage.Stored{}, fmt.Errorf("%w: %w", errStorage, err)
}

// digest returns the digest of a copy. The metadata of a copy in parts lacks it, but the cache may
// have it. If an earlier attempt of this refresh renewed the copy, the entry still has the former
// expiry.
func (a *Activities) digest(ctx context.Context, key string, s storage.Stored, id string) string {
	if s.SHA256 != "" {
		return s.SHA256
	}
	if s.CopyID == id {
		if e, err := a.Cache.Get(ctx, key); err == nil && e.State == cache.Present {
			return e.SHA256
		}
	}
	return a.knownSHA256(ctx, key, copyOf(s))
}

// publish stores the entry of a refreshed copy under the copy's generation. If the object was
// purged since, the purge wins.
func (a *Activities) publish(
	ctx context.Context, o storage.Object, s storage.Stored, digest string, out RefreshResult,
) (RefreshResult, error) {
	entry := a.Rules.Present(a.Now(), cache.Copy{Expires: s.Expires, SHA256: digest, Size: s.Size})
	if entry.State != cache.Present {
		return out, nil
	}
	err := a.Cache.Put(ctx, a.Space.Key(o.Hash()), s.Generation, entry)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, cache.ErrPurged):
		return a.overtaken(ctx, o, refreshID(ctx))
	default:
		return RefreshResult{}, fmt.Errorf("%w: %w", errCache, err)
	}
}

// overtaken ends a refresh whose object was purged meanwhile. The copy onto itself may have
// restored the object after the purge had deleted it: redis forgets purges, and clients would get
// it then. On a server without conditional writes it may also have replaced a newer copy. If the
// bucket has an object of this refresh, overtaken purges again: the entry of that copy goes too.
func (a *Activities) overtaken(ctx context.Context, o storage.Object, id string) (RefreshResult, error) {
	replaced := RefreshResult{Result: RefreshReplaced}
	generation, err := a.Cache.Generation(ctx, a.Space.Key(o.Hash()))
	if err != nil {
		return RefreshResult{}, fmt.Errorf("%w: %w", errCache, err)
	}
	stored, _, err := a.headCopy(ctx, o)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return replaced, nil
	case err != nil:
		return RefreshResult{}, err
	case stored.CopyID != id:
		return replaced, nil // Another copy, or one that the purge is about to delete.
	}
	return replaced, a.purge(ctx, o, generation)
}
