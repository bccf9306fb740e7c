package cache

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// value is the value at a key. It is empty if the key is missing.
type value struct {
	text string
	// junk is set if the key has another type than a string, or a longer value than the caller can
	// use.
	junk bool
	// err is redis's error reply.
	err error
}

// value returns the value of a key. It fails with redis's error reply, too.
func (r *Redis) value(ctx context.Context, key string, most int64) (value, error) {
	values, err := r.values(ctx, []string{key}, most)
	if err != nil {
		return value{}, err
	}
	return values[0], values[0].err
}

// values returns the values of keys, in one round trip and at most most+1 bytes of each. It sends a
// GETRANGE for each key rather than one MGET: a large value delays no other key, and a key of
// another type fails no other key. The keys may be in any slots of a redis cluster.
func (r *Redis) values(ctx context.Context, keys []string, most int64) ([]value, error) {
	return guarded(ctx, r.breaker, func(ctx context.Context) ([]value, error) {
		pipe := r.client.Pipeline()
		replies := make([]*redis.StringCmd, len(keys))
		for i, key := range keys {
			replies[i] = pipe.GetRange(ctx, key, 0, most)
		}
		_, err := pipe.Exec(ctx)
		if err != nil && !Replied(err) {
			return nil, err
		}
		all := make([]value, len(keys))
		for i, reply := range replies {
			text, err := reply.Result()
			switch {
			case err == nil:
				all[i] = value{text: text, junk: int64(len(text)) > most}
			case redis.HasErrorPrefix(err, "WRONGTYPE"):
				all[i].junk = true
			case Replied(err):
				all[i].err = err
			default: // The connection broke after the first reply.
				return nil, err
			}
		}
		return all, nil
	})
}
