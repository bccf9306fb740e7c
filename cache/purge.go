package cache

import "context"

// Purger gives objects a new generation; see [Redis.Purge].
type Purger interface {
	Purge(ctx context.Context, key string) (int64, error)
}

// PurgeCopy purges an object that may have a copy in a bucket. It calls deleteCopy between two
// purges of the entry, and returns the second generation. It stops at the first error; it can be
// repeated then.
//
// The first new generation keeps the running copy from being published, and readers from finding
// the old object in the bucket. The second new generation does the same for copies that start
// between the first one and the deletion: the deletion may hit their object.
func PurgeCopy(ctx context.Context, c Purger, key string, deleteCopy func(context.Context) error) (int64, error) {
	if _, err := c.Purge(ctx, key); err != nil {
		return 0, err
	}
	if err := deleteCopy(ctx); err != nil {
		return 0, err
	}
	return c.Purge(ctx, key)
}
