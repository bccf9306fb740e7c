package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Backlog describes the tasks of a pool that wait for its workers.
type Backlog struct {
	// Tasks is the number of waiting tasks, and Age the age of the oldest task.
	Tasks int64
	Age   time.Duration
	// Rate is the number of tasks that workers take per second. Zero is none, or unknown.
	Rate float64
}

// backlogValue is a stored Backlog, in JSON.
type backlogValue struct {
	Tasks int64   `json:"tasks"`
	Age   int64   `json:"age"` // Milliseconds.
	Rate  float64 `json:"rate,omitempty"`
}

// PutBacklog stores a pool's backlog for the time of ttl, at least 1 ms. The last writer wins.
func (r *Redis) PutBacklog(ctx context.Context, pool string, b Backlog, ttl time.Duration) error {
	value, err := json.Marshal(backlogValue{Tasks: b.Tasks, Age: b.Age.Milliseconds(), Rate: b.Rate})
	if err != nil {
		return fmt.Errorf("encode backlog: %w", err)
	}
	_, err = guarded(ctx, r.breaker, func(ctx context.Context) (string, error) {
		return r.client.Set(ctx, backlogKey(r.prefix, pool), value, ttl).Result()
	})
	if err != nil {
		return fmt.Errorf("put backlog: %w", err)
	}
	return nil
}

// Backlogs returns the backlogs of these pools, by one read. It omits a pool whose backlog has
// expired, was never stored, or is undecodable.
func (r *Redis) Backlogs(ctx context.Context, pools []string) (map[string]Backlog, error) {
	names := make([]string, len(pools))
	for i, pool := range pools {
		names[i] = backlogKey(r.prefix, pool)
	}
	values, err := guarded(ctx, r.breaker, func(ctx context.Context) ([]any, error) {
		return r.client.MGet(ctx, names...).Result()
	})
	if err != nil {
		return nil, fmt.Errorf("get backlogs: %w", err)
	}
	all := map[string]Backlog{}
	for i, value := range values {
		text, ok := value.(string)
		var v backlogValue
		if ok && json.Unmarshal([]byte(text), &v) == nil {
			all[pools[i]] = Backlog{Tasks: v.Tasks, Age: time.Duration(v.Age) * time.Millisecond, Rate: v.Rate}
		}
	}
	return all, nil
}
