package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Acquire takes the lease of an object without an entry: it stores the caller's pending entry until
// its deadline. It returns the entry in redis, and whether that is the caller's own. If the reply
// is lost, the caller gets an error, and its lease stays until it expires.
func (r *Redis) Acquire(ctx context.Context, key string, mine Entry) (Entry, bool, error) {
	value, err := encode(key, mine)
	if err != nil {
		return Entry{}, false, err
	}
	// The second try is for a key whose value was undecodable or past its deadline.
	for range 2 {
		cmd, err := r.run(ctx, r.scripts.acquire, key, value, max(mine.Deadline.Sub(r.now()).Milliseconds(), 1), maxValue)
		if errors.Is(err, redis.Nil) {
			return mine, true, nil
		}
		if err != nil {
			return Entry{}, false, fmt.Errorf("acquire lease: %w", err)
		}
		if _, junk := cmd.Val().(int64); junk {
			r.undecodable()
			return mine, true, nil
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

// Swap replaces the entry from, which the caller read before, by another entry of the same
// deadline. It returns whether it did: it does not if the entry has changed since. Swap wakes no
// waiters.
func (r *Redis) Swap(ctx context.Context, key string, from, to Entry) (bool, error) {
	after, err := encode(key, to)
	if err != nil {
		return false, err
	}
	return r.change(ctx, key, from, func(before string) (bool, error) {
		cmd, err := r.run(ctx, r.scripts.swap, key, before, after)
		if err != nil {
			return false, fmt.Errorf("swap cache entry: %w", err)
		}
		return cmd.Bool()
	})
}

// Abandon deletes a pending entry regardless of its owner, for a copy that will not be made. It
// leaves every other entry alone without an error.
func (r *Redis) Abandon(ctx context.Context, key string) error {
	v, err := r.value(ctx, key, maxValue)
	if err != nil {
		return fmt.Errorf("get cache entry: %w", err)
	}
	if entry, err := decode(key, v.text, r.now(), r.rules); err != nil || entry.State != Pending {
		return nil //nolint:nilerr // the next read deletes an undecodable value
	}
	_, err = r.drop(ctx, key, v.text)
	return err
}
