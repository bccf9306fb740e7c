package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// PurgeInput is the input of [Activities.PurgeCopy].
type PurgeInput struct {
	Source SealedObject `json:"source"`
	// Generation is the first generation of the purge; 0 if redis has not made it.
	Generation int64 `json:"generation,omitempty"`
}

// PurgeResult is the result of [Activities.PurgeCopy].
type PurgeResult struct {
	// Generation is the generation that the purge left.
	Generation int64 `json:"generation"`
	// Replaced is set if the bucket has a newer copy, which stays. Generation is its own then.
	Replaced bool `json:"replaced,omitempty"`
}

// purgeProgress is the heartbeat of PurgeCopy. A next attempt makes no further first generation:
// that would end a copy that started since.
type purgeProgress struct {
	Generation int64 `json:"generation"`
}

// PurgeCopy finishes a purge that failed halfway; see [cache.FinishPurge]. A copy that was started
// after the purge stays.
func (a *Activities) PurgeCopy(ctx context.Context, in PurgeInput) (PurgeResult, error) {
	out, err := a.purgeCopy(ctx, in)
	return out, outcome(ctx, err)
}

func (a *Activities) purgeCopy(ctx context.Context, in PurgeInput) (PurgeResult, error) {
	object, err := a.open(in.Source)
	if err != nil {
		return PurgeResult{}, err
	}
	key := a.Space.Key(object.Hash())
	first := purgeProgress{Generation: in.Generation}
	if first.Generation == 0 && activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &first) // Otherwise, another first generation does no harm.
	}
	if first.Generation == 0 {
		if first.Generation, err = a.Cache.Purge(ctx, key); err != nil {
			return PurgeResult{}, fmt.Errorf("%w: %w", errCache, err)
		}
		activity.RecordHeartbeat(ctx, first)
	}
	replaced := int64(0)
	generation, err := cache.FinishPurge(ctx, a.Cache, key, first.Generation, func(ctx context.Context) (err error) {
		replaced, err = a.deleteOlder(ctx, object, first.Generation)
		return err
	})
	switch {
	case errors.Is(err, errNewer):
		return PurgeResult{Generation: replaced, Replaced: true}, nil
	case err != nil && !errors.Is(err, errStorage):
		return PurgeResult{}, fmt.Errorf("%w: %w", errCache, err)
	case err != nil:
		return PurgeResult{}, err
	}
	return PurgeResult{Generation: generation}, nil
}

// errNewer means that the bucket has a copy that is newer than the purge.
var errNewer = errors.New("the bucket has a newer copy")

// deleteOlder deletes the object unless it is a copy of that generation or a later one. Then it
// returns the copy's generation, and errNewer. A bucket that refuses HEADs may still delete.
func (a *Activities) deleteOlder(ctx context.Context, o storage.Object, generation int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	stored, err := a.Bucket.Head(ctx, o.Key())
	if err == nil && stored.Generation >= generation {
		return stored.Generation, errNewer
	}
	if err := a.Bucket.Delete(ctx, o.Key()); err != nil {
		return 0, fmt.Errorf("%w: %w", errStorage, err)
	}
	return 0, nil
}
