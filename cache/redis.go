package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrPurged is returned if the object was purged since the generation that a change was begun under.
var ErrPurged = errors.New("object was purged in the meantime")

// AnyGeneration is newer than every purge: what is put under it is put in any case.
const AnyGeneration = math.MaxInt64

// generationTTL is how long a purge is remembered, and so the longest that a copy may take and still be kept from
// publishing what was purged.
const generationTTL = 7 * 24 * time.Hour

// Redis is the cache. It is safe for concurrent use. Its methods fail if redis does not answer; the caller goes on
// without.
type Redis struct {
	client      *redis.Client
	options     redis.Options // of the client, as they were before it had them
	scripts     scripts
	breaker     *breaker // nil if callers have the time to wait
	now         func() time.Time
	undecodable func()
}

// Options say how redis is asked.
type Options struct {
	// Timeout bounds each step of a call; defaultTimeout if zero. With one, callers are in a hurry: a redis that hangs is not
	// asked for a while, at the cost of one or two of them, but for purges.
	Timeout time.Duration
	// OnBreaker is told when redis is not asked any more, and when it is again; nil is told nothing.
	OnBreaker func(open bool)
	// Undecodable is called for every entry that could not be decoded; it must be set.
	Undecodable func()
}

const (
	// defaultTimeout is the timeout of those who are in no hurry.
	defaultTimeout = time.Second
	// poolTimeout bounds the wait for a connection of the pool, which is busy and not hung: see breaker.
	poolTimeout = 2 * time.Second
)

// Open returns a cache for the redis at url (redis://, rediss:// or unix://). It does no I/O.
func Open(url string, o Options) (*Redis, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		// The library's error repeats the URL, and in it the password.
		return nil, errors.New("is not a URL such as redis://user:password@host:6379/0, with the password percent-encoded")
	}
	// A dead redis must cost a fraction of a client's wait. The client's own retries would make it seconds, and each
	// caller here has a better answer than trying again.
	opt.MaxRetries = -1
	opt.DialerRetries = 1
	timeout := cmp.Or(o.Timeout, defaultTimeout)
	opt.DialTimeout = timeout
	opt.ReadTimeout = timeout
	opt.WriteTimeout = timeout
	opt.PoolTimeout = poolTimeout
	r := &Redis{options: *opt, client: redis.NewClient(opt), scripts: newScripts(), now: time.Now, undecodable: o.Undecodable}
	if o.Timeout > 0 {
		if o.OnBreaker == nil {
			o.OnBreaker = func(bool) {}
		}
		r.breaker = newBreaker(o.OnBreaker)
	}
	return r, nil
}

// Close releases the connections.
func (r *Redis) Close() error { return r.client.Close() }

// Get returns the entry, Absent if there is none that is still true.
func (r *Redis) Get(ctx context.Context, key string) (Entry, error) {
	value, err := r.value(ctx, key)
	if err != nil || value == "" {
		return Entry{}, err
	}
	return r.read(ctx, key, value)
}

// value is what stands at the key, empty if nothing does.
func (r *Redis) value(ctx context.Context, key string) (string, error) {
	value, err := guarded(ctx, r.breaker, func(ctx context.Context) (string, error) { return r.client.Get(ctx, key).Result() })
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("get cache entry: %w", err)
	}
	return value, nil
}

// run runs a script on the object's keys.
func (r *Redis) run(ctx context.Context, s *redis.Script, key string, args ...any) (*redis.Cmd, error) {
	return guarded(ctx, r.breaker, func(ctx context.Context) (*redis.Cmd, error) {
		cmd := s.Run(ctx, r.client, keys(key), args...)
		return cmd, cmd.Err()
	})
}

// read decodes a value. One that is undecodable or over is removed, or it would keep everybody from the lease.
func (r *Redis) read(ctx context.Context, key, value string) (Entry, error) {
	entry, err := decode(value)
	if err == nil && entry.Deadline.After(r.now()) {
		return entry, nil
	}
	if err != nil {
		r.undecodable()
	}
	return Entry{}, r.drop(ctx, key, value)
}

func (r *Redis) drop(ctx context.Context, key, value string) error {
	if _, err := r.run(ctx, r.scripts.drop, key, value, channel); err != nil {
		return fmt.Errorf("drop cache entry: %w", err)
	}
	return nil
}

// Acquire takes the lease of an object that nothing is known of: it stores pending, owned by owner, until the lease is
// over. It returns the entry that stands then and whether that is the caller's own.
func (r *Redis) Acquire(ctx context.Context, key, owner string, lease time.Duration) (Entry, bool, error) {
	mine := Entry{State: Pending, Owner: owner, Deadline: r.now().Add(lease), Total: -1}
	value, err := encode(mine)
	if err != nil {
		return Entry{}, false, err
	}
	// The second try is for a key that held something undecodable or over.
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

// Release gives up a lease that [Redis.Acquire] returned, so that the next request starts at once.
func (r *Redis) Release(ctx context.Context, key string, lease Entry) error {
	value, err := encode(lease)
	if err != nil {
		return err
	}
	return r.drop(ctx, key, value)
}

// Abandon removes a pending entry, whoever owns it: its copy is not coming.
func (r *Redis) Abandon(ctx context.Context, key string) error {
	value, err := r.value(ctx, key)
	if err != nil || value == "" {
		return err
	}
	if entry, err := decode(value); err != nil || entry.State != Pending {
		return nil //nolint:nilerr // what can't be decoded is dropped by whoever reads it
	}
	return r.drop(ctx, key, value)
}

// Generation returns the object's purge generation, 0 if it was never purged. It only grows.
func (r *Redis) Generation(ctx context.Context, key string) (int64, error) {
	g, err := guarded(ctx, r.breaker, func(ctx context.Context) (int64, error) {
		return r.client.Get(ctx, generationKey(key)).Int64()
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("get purge generation: %w", err)
	}
	return g, nil
}

// Put stores an entry until its deadline, unless the object was purged since generation ([ErrPurged]). A present entry
// is not overwritten by a pending or failed one; that is no error. Those who wait for the object are woken, except by a
// pending entry, which would send them back to wait.
func (r *Redis) Put(ctx context.Context, key string, generation int64, e Entry) error {
	ttl := e.Deadline.Sub(r.now()).Milliseconds()
	if ttl <= 0 {
		return nil
	}
	value, err := encode(e)
	if err != nil {
		return err
	}
	cmd, err := r.run(ctx, r.scripts.put, key, generation, value, ttl, channel)
	if err != nil {
		return fmt.Errorf("put cache entry: %w", err)
	}
	n, err := cmd.Int()
	if err != nil {
		return fmt.Errorf("put cache entry: %w", err)
	}
	if n < 0 {
		return ErrPurged
	}
	return nil
}

// Purge forgets the object and returns its new generation.
func (r *Redis) Purge(ctx context.Context, key string) (int64, error) {
	// A purge is worth a wait, and must not be given up because others are in a hurry.
	client := r.client.WithTimeout(max(defaultTimeout, r.client.Options().ReadTimeout))
	text, err := r.scripts.purge.Run(ctx, client, keys(key),
		r.now().UnixMilli(), generationTTL.Milliseconds(), channel).Text()
	if err != nil {
		return 0, fmt.Errorf("purge cache entry: %w", err)
	}
	generation, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("purge cache entry: %w", err)
	}
	return generation, nil
}

// Failures counts a failure of the object's copies that may be mended by itself, and returns how many there were in a row,
// this one included. A copy that is present, a purge, and an hour without one end the row.
func (r *Redis) Failures(ctx context.Context, key string) (int64, error) {
	cmd, err := r.run(ctx, r.scripts.fail, key, failuresTTL.Milliseconds())
	if err != nil {
		return 0, fmt.Errorf("count failures: %w", err)
	}
	return cmd.Int64()
}

// failuresTTL is longer than any back-off that follows from them.
const failuresTTL = time.Hour

func keys(key string) []string { return []string{key, generationKey(key), failuresKey(key)} }
