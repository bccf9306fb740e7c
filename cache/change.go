package cache

import (
	"context"
	"fmt"
)

// change calls try with the value of the entry e, and returns whether try changed it. If try did
// not, redis may hold e in another spelling: a later build writes fields that this build does not
// know. Then change calls try again with that value.
func (r *Redis) change(ctx context.Context, key string, e Entry, try func(value string) (bool, error)) (bool, error) {
	value, err := encode(key, e)
	if err != nil {
		return false, err
	}
	if done, err := try(value); done || err != nil {
		return done, err
	}
	held, err := r.value(ctx, key, maxValue)
	if err != nil {
		return false, fmt.Errorf("get cache entry: %w", err)
	}
	current, err := decode(key, held.text, r.now(), r.rules)
	if err != nil || held.text == value {
		return false, nil //nolint:nilerr // the next read deletes an undecodable value
	}
	if same, err := encode(key, current); err != nil || same != value {
		return false, err
	}
	return try(held.text)
}
