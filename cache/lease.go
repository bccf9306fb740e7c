package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Acquire takes the lease of an object without an entry: it stores a pending one of owner, which
// expires after lease. It returns the entry in redis, and whether that is the caller's own. If the
// reply is lost the caller gets an error, and its lease stays until it expires.
func (r *Redis) Acquire(ctx context.Context, key, owner string, lease time.Duration) (Entry, bool, error) {
	mine := Entry{State: Pending, Owner: owner, Deadline: r.now().Add(lease), Total: -1}
	value, err := encode(mine)
	if err != nil {
		return Entry{}, false, err
	}
	// The second try is for a key whose value was undecodable or past its deadline.
	for range 2 {
		cmd, err := r.run(ctx, r.scripts.acquire, key, value, lease.Milliseconds())
		if errors.Is(err, redis.Nil) {
			return mine, true, nil
		}
		if err != nil {
			return Entry{}, false, fmt.Errorf("acquire lease: %w", err)
		}
		current, err := cmd.Text()
		if err != nil {
			return Entry{}, false, fmt.Errorf("acquire lease: %w", err)
		}
		entry, err := r.read(ctx, key, current)
		if err != nil || entry.State != Absent {
			return entry, false, err
		}
	}
	return Entry{}, false, errUndecodable
}

// Release deletes the lease that [Redis.Acquire] returned, so that the next request can acquire it
// at once. If the entry has changed since, Release leaves it alone without an error.
func (r *Redis) Release(ctx context.Context, key string, lease Entry) error {
	_, err := r.Drop(ctx, key, lease)
	return err
}

// Abandon deletes a pending entry regardless of its owner, for a copy that will not be made. It
// leaves every other entry alone without an error.
func (r *Redis) Abandon(ctx context.Context, key string) error {
	value, err := r.value(ctx, key)
	if err != nil || value == "" {
		return err
	}
	if entry, err := decode(value); err != nil || entry.State != Pending {
		return nil //nolint:nilerr // the next read deletes an undecodable value
	}
	_, err = r.drop(ctx, key, value)
	return err
}
