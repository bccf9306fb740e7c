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
}

// HeadSourceResult is what is known before a copy.
type HeadSourceResult struct {
	Meta origin.Meta `json:"meta"`
	// Generation is the object's purge generation, under which the copy is begun.
	Generation int64 `json:"generation"`
	// Stored is the copy that the bucket has already, if it has one that was not purged: nothing is to be copied then.
	Stored *Copy `json:"stored,omitempty"`
	// Replaces is the ETag of what the bucket has in the copy's place, if it may be overwritten.
	Replaces string `json:"replaces,omitempty"`
	// CopyID is by which the copy of what HeadSource saw knows itself again.
	CopyID string `json:"copyID,omitempty"`
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
	out := HeadSourceResult{Generation: a.start(ctx, object), CopyID: copyID(ctx)}

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

// start reads the generation and renews the lease. Without redis there is neither: the copy is then begun under the
// oldest generation and will not be trusted if there was a purge.
func (a *Activities) start(ctx context.Context, o storage.Object) int64 {
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
