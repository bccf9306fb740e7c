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
	// redirected is set if another node than the expected one has the key.
	redirected bool
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

// values returns the values of keys that are in one slot of a cluster; see [Redis.valuesAt].
func (r *Redis) values(ctx context.Context, keys []string, most int64) ([]value, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	at, err := r.nodes.of(ctx, keys[0])
	if err != nil {
		return nil, err
	}
	return r.valuesAt(ctx, at, keys, most)
}

// valuesAt returns the values of keys of a node, in one round trip and at most most+1 bytes of each.
// It sends a GETRANGE for each key rather than one MGET: a large value delays no other key, and a
// key of another type fails no other key. It reads a key that another node has from that node.
func (r *Redis) valuesAt(ctx context.Context, at *node, keys []string, most int64) ([]value, error) {
	all, err := guarded(ctx, at.breaker, func(ctx context.Context) ([]value, error) {
		pipe := at.client.Pipeline()
		replies := make([]*redis.StringCmd, len(keys))
		for i, key := range keys {
			replies[i] = pipe.GetRange(ctx, key, 0, most)
		}
		_, failed := pipe.Exec(ctx)
		if failed != nil && !Replied(failed) {
			return nil, failed
		}
		all := make([]value, len(keys))
		for i, reply := range replies {
			text, err := reply.Result()
			if all[i] = newValue(text, err, most); all[i].err != nil && !Replied(err) {
				return nil, err // The connection broke after the first reply.
			}
			if err != nil {
				failed = nil
			}
		}
		if failed != nil {
			return nil, failed // Redis refused the connection, so no command ran.
		}
		return all, nil
	})
	if r.nodes.failed(ctx, err); err != nil {
		return nil, err
	}
	for i := range all {
		if !r.nodes.failed(ctx, all[i].err) {
			continue
		}
		text, err := guarded(ctx, r.nodes.redirects, func(ctx context.Context) (string, error) {
			return r.nodes.cluster.GetRange(ctx, keys[i], 0, most).Result()
		})
		all[i] = newValue(text, err, most)
		all[i].redirected = true
	}
	return all, nil
}

func newValue(text string, err error, most int64) value {
	switch {
	case err == nil:
		return value{text: text, junk: int64(len(text)) > most}
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return value{junk: true}
	default:
		return value{err: err}
	}
}
