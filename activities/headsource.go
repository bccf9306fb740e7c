package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// HeadSourceInput is the input of [Activities.HeadSource].
type HeadSourceInput struct {
	Source SealedObject `json:"source"`
	// Low is set if no client waits for the copy.
	Low bool `json:"low,omitempty"`
}

// HeadSourceResult is everything that StreamCopy needs to know about the bucket and the cache.
type HeadSourceResult struct {
	// Meta describes no object: StreamCopy's first request does that. A result of a build before
	// 2026-11-25 describes the source here.
	Meta origin.Meta `json:"meta"`
	// First is set if StreamCopy sends the first request to the source.
	First bool `json:"first,omitempty"`
	// Generation is the object's purge generation when the copy starts.
	Generation int64 `json:"generation"`
	// Stored is the copy that the bucket already has, unless it was purged. There is nothing to
	// copy then.
	Stored *Copy `json:"stored,omitempty"`
	// Replaces is the ETag of the object that the bucket has under the copy's key, which the copy
	// may overwrite.
	Replaces string `json:"replaces,omitempty"`
	// CopyID identifies this copy, so that a retry recognises an object that it stored itself.
	CopyID string `json:"copyID,omitempty"`
}

// undescribed is the Meta of an object before the first request to its source. A worker of a build
// before 2026-11-25 would store an object of this Meta, without the source's headers. It requires
// the content coding, which no source sends, and so it stores nothing.
func undescribed() origin.Meta { return origin.Meta{Size: -1, ContentEncoding: "not-described"} }

// bucketTimeout bounds a HEAD of the bucket. If HeadSource gets no answer, the copy is made again,
// which does no harm.
const bucketTimeout = 10 * time.Second

// HeadSource looks first: it reads the object's purge generation, and looks for a copy in the
// bucket, since a request may be delivered twice. It renews the lease, so that clients wait for
// this copy. It sends nothing to the source: only the answer to a GET describes the object.
func (a *Activities) HeadSource(ctx context.Context, in HeadSourceInput) (HeadSourceResult, error) {
	out, err := a.headSource(ctx, in)
	return out, outcome(ctx, err)
}

func (a *Activities) headSource(ctx context.Context, in HeadSourceInput) (HeadSourceResult, error) {
	object, err := a.open(in.Source)
	if err != nil {
		return HeadSourceResult{}, err
	}
	out := HeadSourceResult{Meta: undescribed(), First: true, CopyID: copyID(ctx)}
	var stored storage.Stored
	var bucketErr error
	var both sync.WaitGroup
	both.Go(func() { out.Generation = a.start(ctx, object, in.Low) })
	both.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
		defer cancel()
		stored, bucketErr = a.Bucket.Head(ctx, object.Key())
	})
	both.Wait()
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if bucketErr != nil {
		return out, nil //nolint:nilerr // Without an answer, the copy is made
	}
	if out.Replaces = stored.ETag; a.usable(stored, out.Generation) {
		found := copyOf(stored)
		out.Stored = &found
		a.Observer.Found(a.Pool.ID(), found.Size)
	}
	return out, nil
}

// copyID identifies one call of HeadSource in a workflow. A second call may see another version of
// the object. Local activities have numbers of their own, which ordinary activities have as well.
func copyID(ctx context.Context) string {
	info := activity.GetInfo(ctx)
	if info.IsLocalActivity {
		return info.WorkflowExecution.RunID + "/local-" + info.ActivityID
	}
	return info.WorkflowExecution.RunID + "/" + info.ActivityID
}

// start renews the lease and returns the object's purge generation. Without redis it can do
// neither: the copy then starts under the oldest generation, and is not trusted if the object was
// ever purged. After the end of ctx, start stores nothing: the workflow does not wait for a local
// attempt that has timed out, and may have ended.
func (a *Activities) start(ctx context.Context, o storage.Object, low bool) int64 {
	key := a.Space.Key(o.Hash())
	generation, err := a.Cache.Generation(ctx, key)
	if err == nil && ctx.Err() == nil {
		lease := a.Rules.Pending(a.Now(), owner(ctx), 0, -1)
		lease.Low = low
		err = a.Cache.Put(ctx, key, generation, lease)
	}
	if err != nil && ctx.Err() == nil {
		activity.GetLogger(ctx).Warn("continuing without the cache", "error", err)
	}
	return generation
}

// usable reports whether a stored copy may be published: it was started since the last purge, and
// is not about to expire.
func (a *Activities) usable(s storage.Stored, generation int64) bool {
	return s.Generation >= generation && a.Rules.Present(a.Now(), cache.Copy{Expires: s.Expires}).State == cache.Present
}
