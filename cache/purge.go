package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
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

const (
	// replicaWait bounds the wait of a purge for a replica.
	replicaWait = 500 * time.Millisecond
	// movedTries and movedPause bound a purge of an object whose slot a cluster moves.
	movedTries = 20
	movedPause = 50 * time.Millisecond
)

// Purge deletes the object's entry and its count of failures, and returns its new generation. It
// ignores the circuit breaker, and waits for 1 s or Options.Timeout, whichever is longer, for each
// write and read.
//
// If the master has replicas, Purge waits until one of them has the new generation, for 500 ms at
// most. Without its acknowledgement the purge counts all the same, but a failover may forget it. See
// Options.Unreplicated. Purge fails if the master is lost meanwhile.
//
// While a cluster moves the object's slot, Purge tries again for a second.
func (r *Redis) Purge(ctx context.Context, key string) (int64, error) {
	for try := 1; ; try++ {
		generation, err := r.purge(ctx, key)
		switch {
		case err == nil:
			return generation, nil
		case try == movedTries || !r.nodes.failed(ctx, err) && !redis.IsTryAgainError(err):
			return 0, fmt.Errorf("purge cache entry: %w", err)
		}
		pause(ctx, movedPause)
		_, _ = r.nodes.reload(ctx) // The next try reports an error.
	}
}

// purge purges on one connection: WAIT is about the writes of its own connection.
func (r *Redis) purge(ctx context.Context, key string) (int64, error) {
	at, err := r.nodes.find(ctx, key)
	if err != nil {
		return 0, err
	}
	// A purge is worth a wait, and must not fail because other callers are in a hurry.
	conn := at.client.WithTimeout(max(defaultTimeout, at.client.Options().ReadTimeout)).Conn()
	defer conn.Close() //nolint:errcheck // nothing to do about it
	generation, replicas, err := r.runPurge(ctx, conn, key, r.channel)
	// Builds before 2026-11-26 can't use a cluster.
	if former, ok := formerKey(r.prefix, key); ok && err == nil && r.nodes.cluster == nil {
		_, _, err = r.runPurge(ctx, conn, former, formerChannel)
	}
	if err != nil || replicas == 0 {
		return generation, err
	}
	// Conn.Wait would wait 10 s longer for the reply.
	acknowledged, err := conn.Do(ctx, "wait", 1, replicaWait.Milliseconds()).Int()
	if err != nil && !Replied(err) {
		return 0, fmt.Errorf("wait for a replica: %w", err)
	}
	if err != nil || acknowledged == 0 {
		r.unreplicated()
	}
	return generation, nil
}

// runPurge returns the new generation, and the number of replicas that are online.
func (r *Redis) runPurge(ctx context.Context, conn *redis.Conn, key, channel string) (generation int64, replicas int, err error) {
	reply, err := r.scripts.purge.Run(ctx, conn, keys(key),
		r.now().UnixMilli(), r.tombstone.Milliseconds(), channel, r.maxGeneration()).Text()
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(reply, &generation, &replicas)
	return generation, replicas, err
}
