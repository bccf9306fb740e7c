package cache

import (
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
	client      redis.UniversalClient
	scripts     scripts
	now         func() time.Time
	undecodable func()
}

// Open returns a cache for the redis at url (redis://, rediss:// or unix://). It does no I/O.
//
// undecodable is called for every entry that could not be decoded.
func Open(url string, undecodable func()) (*Redis, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		// The library's error repeats the URL, and in it the password.
		return nil, errors.New("is not a URL such as redis://user:password@host:6379/0, with the password percent-encoded")
	}
	// A dead redis must cost a fraction of a client's wait. The client's own retries would make it seconds, and each
	// caller here has a better answer than trying again.
	opt.MaxRetries = -1
	opt.DialerRetries = 1
	opt.DialTimeout = timeout
	opt.ReadTimeout = timeout
	opt.WriteTimeout = timeout
	opt.PoolTimeout = timeout
	return &Redis{client: redis.NewClient(opt), scripts: newScripts(), now: time.Now, undecodable: undecodable}, nil
}

// timeout bounds each step of a call to redis.
const timeout = 200 * time.Millisecond

// Close releases the connections.
func (r *Redis) Close() error { return r.client.Close() }

// Ping tells whether redis answers.
func (r *Redis) Ping(ctx context.Context) error { return r.client.Ping(ctx).Err() }

// Get returns the entry, Absent if there is none that is still true.
func (r *Redis) Get(ctx context.Context, key string) (Entry, error) {
	value, err := r.client.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		return Entry{}, nil
	}
	if err != nil {
		return Entry{}, fmt.Errorf("get cache entry: %w", err)
	}
	return r.read(ctx, key, value)
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
	err := r.scripts.drop.Run(ctx, r.client, keys(key), value, channel).Err()
	if err != nil {
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
		current, err := r.scripts.acquire.Run(ctx, r.client, keys(key), value, lease.Milliseconds()).Text()
		if errors.Is(err, redis.Nil) {
			return mine, true, nil
		}
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
	value, err := r.client.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get cache entry: %w", err)
	}
	if entry, err := decode(value); err != nil || entry.State != Pending {
		return nil //nolint:nilerr // what can't be decoded is dropped by whoever reads it
	}
	return r.drop(ctx, key, value)
}

// Generation returns the object's purge generation, 0 if it was never purged. It only grows.
func (r *Redis) Generation(ctx context.Context, key string) (int64, error) {
	g, err := r.client.Get(ctx, generationKey(key)).Int64()
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
	n, err := r.scripts.put.Run(ctx, r.client, keys(key), generation, value, ttl, channel).Int()
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
	text, err := r.scripts.purge.Run(ctx, r.client, keys(key),
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

func keys(key string) []string { return []string{key, generationKey(key)} }
