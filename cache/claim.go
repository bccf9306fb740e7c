package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Claim takes the claim on verifying the object for the time of d, at least 1 ms. A key with a
// suffix that begins with a colon is another claim on the same object: see [AuditClaim] and
// [RefreshClaim]. Claim returns 0 to the caller that took it, and otherwise how long the current
// claim lasts. One of any number of callers takes the claim in each d. A claim is independent of
// the entry, and can't be released.
func (r *Redis) Claim(ctx context.Context, key string, d time.Duration) (time.Duration, error) {
	name := claimKey(key)
	left, err := on(ctx, r.nodes, name, func(ctx context.Context, c redis.Cmdable) (time.Duration, error) {
		err := c.SetArgs(ctx, name, "", redis.SetArgs{Mode: "NX", TTL: d}).Err()
		if !errors.Is(err, redis.Nil) {
			return 0, err
		}
		left, err := c.PTTL(ctx, name).Result()
		if err == nil && (left == -1 || left > d) { // PTTL is -1 for a key that never expires.
			// It would keep all callers from the claim for longer than they agreed on.
			left, err = d, c.PExpire(ctx, name, d).Err()
		}
		return max(left, time.Millisecond), err // It may have expired since.
	})
	if err != nil {
		return 0, fmt.Errorf("claim verification: %w", err)
	}
	return left, nil
}

// AuditClaim returns the key of the claim on auditing the object with that key.
func AuditClaim(key string) string { return key + ":audit" }

// RefreshClaim returns the key of the claim on refreshing the object with that key.
func RefreshClaim(key string) string { return key + ":refresh" }
