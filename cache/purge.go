package cache

import (
	"context"
	"fmt"
	"strconv"
)

// Purger gives objects a new generation; see [Redis.Purge].
type Purger interface {
	Purge(ctx context.Context, key string) (int64, error)
}

// PurgeCopy purges an object that may have a copy in a bucket. It calls deleteCopy between two
// purges of the entry, and returns the second generation. It stops at the first error, and returns
// the last generation that it made, or 0: [PurgeCopy] can be repeated then, or finished.
//
// The first new generation keeps the running copy from being published, and readers from finding
// the old object in the bucket. The second new generation does the same for copies that start
// between the first one and the deletion: the deletion may hit their object.
func PurgeCopy(ctx context.Context, c Purger, key string, deleteCopy func(context.Context) error) (int64, error) {
	first, err := c.Purge(ctx, key)
	if err != nil {
		return 0, err
	}
	return FinishPurge(ctx, c, key, first, deleteCopy)
}

// FinishPurge continues a purge that has made its first generation; see [PurgeCopy].
func FinishPurge(
	ctx context.Context, c Purger, key string, first int64, deleteCopy func(context.Context) error,
) (int64, error) {
	if err := deleteCopy(ctx); err != nil {
		return first, err
	}
	second, err := c.Purge(ctx, key)
	if err != nil {
		return first, err
	}
	return second, nil
}

// Purge deletes the object's entry and its count of failures, and returns its new generation. It
// ignores the circuit breaker, and waits for 1 s or Options.Timeout, whichever is longer, for each
// write and read.
func (r *Redis) Purge(ctx context.Context, key string) (int64, error) {
	generation, err := r.purge(ctx, key, r.channel)
	if former, ok := formerKey(r.prefix, key); ok && err == nil {
		_, err = r.purge(ctx, former, formerChannel)
	}
	if err != nil {
		return 0, fmt.Errorf("purge cache entry: %w", err)
	}
	return generation, nil
}

func (r *Redis) purge(ctx context.Context, key, channel string) (int64, error) {
	// A purge is worth a wait, and must not fail because other callers are in a hurry.
	client := r.client.WithTimeout(max(defaultTimeout, r.client.Options().ReadTimeout))
	text, err := r.scripts.purge.Run(ctx, client, keys(key),
		r.now().UnixMilli(), r.tombstone.Milliseconds(), channel, r.maxGeneration()).Text()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}
