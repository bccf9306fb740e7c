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

// MaintenanceAttempts is the number of attempts of Audit and of Refresh. The last attempt never
// fails: it reports its failure as a result.
const MaintenanceAttempts = 3

// lastTry reports whether no attempt follows this one.
func lastTry(ctx context.Context) bool { return activity.GetInfo(ctx).Attempt >= MaintenanceAttempts }

// headCopy HEADs the bucket, within bucketTimeout.
func (a *Activities) headCopy(ctx context.Context, o storage.Object) (storage.Stored, map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	stored, metadata, err := a.Bucket.HeadMetadata(ctx, o.Key())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		err = fmt.Errorf("%w: %w", errStorage, err)
	}
	return stored, metadata, err
}

// objectPurgeTimeout bounds the purge of one object.
const objectPurgeTimeout = 10 * time.Second

// errPurgedMeanwhile means that the object was purged during its audit or refresh.
var errPurgedMeanwhile = errors.New("the object was purged meanwhile")

// purge removes an object from the cache and the bucket, unless it was purged since generation. It
// continues after ctx is cancelled. A copy that runs meanwhile is discarded by its generation: see
// [cache.PurgeCopy].
func (a *Activities) purge(ctx context.Context, o storage.Object, generation int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), objectPurgeTimeout)
	defer cancel()
	key := a.Space.Key(o.Hash())
	now, err := a.Cache.Generation(ctx, key)
	if err != nil {
		return fmt.Errorf("%w: %w", errCache, err)
	}
	if now != generation {
		return errPurgedMeanwhile
	}
	_, err = cache.PurgeCopy(ctx, a.Cache, key, func(ctx context.Context) error {
		if err := a.Bucket.Delete(ctx, o.Key()); err != nil {
			return fmt.Errorf("%w: %w", errStorage, err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStorage) {
		err = fmt.Errorf("%w: %w", errCache, err)
	}
	return err
}
