package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
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
	Until int64   `json:"until"` // Unix milliseconds.
}

const (
	// maxBacklog is the limit of a stored backlog, in bytes.
	maxBacklog = 256
	// maxBacklogTTL bounds how long a backlog is known: a backlog that no worker renews must not
	// keep front ends from requesting copies.
	maxBacklogTTL = 5 * time.Minute
	// maxTasks, maxBacklogAge and maxRate are above the figures of any task queue.
	maxTasks      = 1 << 40
	maxBacklogAge = 365 * 24 * time.Hour
	maxRate       = 1e9
)

// sane reports whether the backlog is within its limits, and known at now.
func (b backlogValue) sane(now time.Time) bool {
	until := time.UnixMilli(b.Until)
	return until.After(now) && !until.After(now.Add(maxBacklogTTL+maxSkew)) && 0 <= b.Tasks && b.Tasks <= maxTasks &&
		0 <= b.Age && b.Age <= maxBacklogAge.Milliseconds() && 0 <= b.Rate && b.Rate <= maxRate
}

// PutBacklog stores a pool's backlog for the time of ttl: at least 1 ms, and at most 5 minutes. The
// last writer wins.
func (r *Redis) PutBacklog(ctx context.Context, pool string, b Backlog, ttl time.Duration) error {
	ttl = min(ttl, maxBacklogTTL)
	value, err := json.Marshal(backlogValue{
		Tasks: b.Tasks, Age: b.Age.Milliseconds(), Rate: b.Rate, Until: r.now().Add(ttl).UnixMilli(),
	})
	if err != nil {
		return fmt.Errorf("encode backlog: %w", err)
	}
	name := backlogKey(r.prefix, pool)
	_, err = on(ctx, r.nodes, name, func(ctx context.Context, c redis.Cmdable) (string, error) {
		return c.Set(ctx, name, value, ttl).Result()
	})
	if err != nil {
		return fmt.Errorf("put backlog: %w", err)
	}
	return nil
}

// Backlogs returns the backlogs of these pools, in one round trip. It omits a pool whose backlog
// has expired, was never stored, or is undecodable.
func (r *Redis) Backlogs(ctx context.Context, pools []string) (map[string]Backlog, error) {
	names := make([]string, len(pools))
	for i, pool := range pools {
		names[i] = backlogKey(r.prefix, pool)
	}
	values, err := r.values(ctx, names, maxBacklog)
	if err != nil {
		return nil, fmt.Errorf("get backlogs: %w", err)
	}
	all := map[string]Backlog{}
	for i, value := range values {
		if value.err != nil {
			return nil, fmt.Errorf("get backlogs: %w", value.err)
		}
		var v backlogValue
		if json.Unmarshal([]byte(value.text), &v) == nil && v.sane(r.now()) {
			all[pools[i]] = Backlog{Tasks: v.Tasks, Age: time.Duration(v.Age) * time.Millisecond, Rate: v.Rate}
		}
	}
	return all, nil
}
