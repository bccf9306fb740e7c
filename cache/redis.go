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

// ErrPurged is returned if the object was purged after the generation of a change.
var ErrPurged = errors.New("object was purged after this generation")

// AnyGeneration is newer than every purge, so [Redis.Put] never rejects it.
const AnyGeneration = math.MaxInt64

// generationTTL is how long redis remembers a purge. A copy that takes longer could publish an
// object that was purged while it ran.
const generationTTL = 7 * 24 * time.Hour

// Redis is the cache in redis. Its methods return an error when redis is unavailable; callers must
// degrade, not fail. They never retry a failed command. Redis is safe for concurrent use, and the
// caller of [Open] closes it.
type Redis struct {
	client      *redis.Client
	options     redis.Options // the client's, copied before it could change them
	prefix      string
	channel     string
	scripts     scripts
	breaker     *breaker // nil without Options.Timeout
	now         func() time.Time
	undecodable func()
}

// Options configures a [Redis].
type Options struct {
	// Prefix is the prefix of all keys and channels, as in [NewSpace]. Empty is [DefaultPrefix].
	Prefix string
	// Timeout bounds each step of a call: dial, write and read. If it is zero, the bound is 1 s and
	// there is no circuit breaker. Otherwise a circuit breaker opens after two consecutive calls
	// without a reply. While it is open, all calls except purges fail at once.
	Timeout time.Duration
	// OnBreaker, if set, is called when the circuit breaker opens and when it closes.
	OnBreaker func(open bool)
	// Undecodable is called for every entry that could not be decoded. It must be set.
	Undecodable func()
}

const (
	// defaultTimeout bounds each step of a call if Options.Timeout is zero. A purge gets at least
	// this long.
	defaultTimeout = time.Second
	// poolTimeout bounds the wait for a connection. A full pool means a busy redis: the breaker
	// ends the wait if redis hangs.
	poolTimeout = 2 * time.Second
)

// Open returns a cache for the redis at url (redis://, rediss:// or unix://). It does no I/O. Its
// error never contains the URL, which may hold a password.
func Open(url string, o Options) (*Redis, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		// The library's error contains the URL, and so the password.
		return nil, errors.New("is not a URL such as redis://user:password@host:6379/0, with the password percent-encoded")
	}
	// A dead redis must cost a fraction of a client's wait. The client's own retries would make it
	// seconds, and every caller has a better answer than a retry.
	opt.MaxRetries = -1
	opt.DialerRetries = 1
	timeout := cmp.Or(o.Timeout, defaultTimeout)
	opt.DialTimeout = timeout
	opt.ReadTimeout = timeout
	opt.WriteTimeout = timeout
	opt.PoolTimeout = poolTimeout
	prefix := cmp.Or(o.Prefix, DefaultPrefix)
	r := &Redis{
		options: *opt, client: redis.NewClient(opt), prefix: prefix, channel: channel(prefix),
		scripts: newScripts(), now: time.Now, undecodable: o.Undecodable,
	}
	if o.Timeout > 0 {
		if o.OnBreaker == nil {
			o.OnBreaker = func(bool) {}
		}
		r.breaker = newBreaker(o.OnBreaker)
	}
	return r, nil
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }

// Get returns the entry, or an Absent one if there is none before its deadline. It deletes an entry
// that is undecodable or past its deadline.
func (r *Redis) Get(ctx context.Context, key string) (Entry, error) {
	value, err := r.value(ctx, key)
	if err != nil || value == "" {
		return Entry{}, err
	}
	return r.read(ctx, key, value)
}

// value returns the value of the key, or an empty string if the key is missing.
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

// read decodes a value. It deletes a value that is undecodable or past its deadline, because that
// value would block every caller of Acquire.
func (r *Redis) read(ctx context.Context, key, value string) (Entry, error) {
	entry, err := decode(value)
	if err == nil && entry.Deadline.After(r.now()) {
		return entry, nil
	}
	if err != nil {
		r.undecodable()
	}
	if _, err = r.drop(ctx, key, value); Replied(err) {
		err = nil // A redis that refuses writes has answered the read.
	}
	return Entry{}, err
}

// Drop deletes the entry if it still is e, which was read before. It returns whether it did. Drop
// wakes the object's waiters.
func (r *Redis) Drop(ctx context.Context, key string, e Entry) (bool, error) {
	value, err := encode(e)
	if err != nil {
		return false, err
	}
	return r.drop(ctx, key, value)
}

// drop deletes the entry if it still has the value, and returns whether it did.
func (r *Redis) drop(ctx context.Context, key, value string) (bool, error) {
	cmd, err := r.run(ctx, r.scripts.drop, key, value, r.channel)
	if err != nil {
		return false, fmt.Errorf("drop cache entry: %w", err)
	}
	return cmd.Bool()
}

// Generation returns the generation of the object's last purge, or 0 if redis remembers none. Redis
// remembers a purge for 7 days. Every purge has a greater generation than those before it.
func (r *Redis) Generation(ctx context.Context, key string) (int64, error) {
	g, err := guarded(ctx, r.breaker, func(ctx context.Context) (int64, error) {
		return r.client.Get(ctx, generationKey(key)).Int64()
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("get purge generation: %w", err)
	}
	return g, nil
}

// Put stores an entry until its deadline. It fails with [ErrPurged] if the object was purged after
// generation. A pending or failed entry does not replace a present one, and an entry past its
// deadline is not stored: neither is an error. Put wakes the object's waiters, except for a pending
// entry without a new digest: all of them would only wait again.
func (r *Redis) Put(ctx context.Context, key string, generation int64, e Entry) error {
	ttl := e.Deadline.Sub(r.now()).Milliseconds()
	if ttl <= 0 {
		return nil
	}
	value, err := encode(e)
	if err != nil {
		return err
	}
	cmd, err := r.run(ctx, r.scripts.put, key, generation, value, ttl, news(e, value), r.channel)
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

// news returns the part of an entry's value that waiters must see. For a pending entry that is only
// its digest: it tells some waiters that this copy is not theirs.
func news(e Entry, value string) string {
	if e.State == Pending {
		return e.SHA256
	}
	return value
}

// Purge deletes the object's entry and its count of failures, and returns its new generation. It
// ignores the circuit breaker, and waits for 1 s or Options.Timeout, whichever is longer, for each
// write and read.
func (r *Redis) Purge(ctx context.Context, key string) (int64, error) {
	// A purge is worth a wait, and must not fail because other callers are in a hurry.
	client := r.client.WithTimeout(max(defaultTimeout, r.client.Options().ReadTimeout))
	text, err := r.scripts.purge.Run(ctx, client, keys(key),
		r.now().UnixMilli(), generationTTL.Milliseconds(), r.channel).Text()
	if err != nil {
		return 0, fmt.Errorf("purge cache entry: %w", err)
	}
	generation, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("purge cache entry: %w", err)
	}
	return generation, nil
}

// Row counts the failures of an object's copies.
type Row struct {
	// All counts the failures in a row, and Same those at the row's end that have one class.
	All, Same int64
}

// Failures counts a failure of the object's copies with a class, and returns the row that it ends. It
// counts a run once, however often it is called for it. A present copy, a purge, or ttl without a
// failure ends the row.
func (r *Redis) Failures(ctx context.Context, key, class, run string, ttl time.Duration) (Row, error) {
	cmd, err := r.run(ctx, r.scripts.fail, key, class, run, ttl.Milliseconds())
	if err != nil {
		return Row{}, fmt.Errorf("count failures: %w", err)
	}
	n, err := cmd.Int64Slice()
	if err != nil || len(n) != 2 {
		return Row{}, fmt.Errorf("count failures: %w", errors.Join(err, errUndecodable))
	}
	return Row{All: n[0], Same: n[1]}, nil
}

func keys(key string) []string { return []string{key, generationKey(key), failuresKey(key)} }
