package cache

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrPurged is returned if the object was purged after the generation of a change.
var ErrPurged = errors.New("object was purged after this generation")

// AnyGeneration is newer than every purge, so [Redis.Put] never rejects it.
const AnyGeneration = math.MaxInt64

// Redis is the cache in redis. Its methods return an error when redis is unavailable; callers must
// degrade, not fail. They never retry a failed command. Redis is safe for concurrent use, and the
// caller of [Open] closes it.
type Redis struct {
	nodes        *nodes
	rules        Rules
	tombstone    time.Duration // How long redis remembers a purge.
	prefix       string
	channel      string
	scripts      scripts
	now          func() time.Time
	undecodable  func()
	unreplicated func()
}

// Options configures a [Redis].
type Options struct {
	// Prefix is the prefix of all keys and channels, as in [NewSpace]. Empty is [DefaultPrefix].
	Prefix string
	// Timeout bounds each step of a call: dial, write and read. If it is zero, the bound is 1 s and
	// there is no circuit breaker. Otherwise a circuit breaker opens after two consecutive calls
	// without a reply. While it is open, all calls except purges fail at once. Each master of a
	// cluster has a breaker. With sentinels, a dial may take four timeouts, because it asks them.
	Timeout time.Duration
	// OnBreaker, if set, is called when a circuit breaker opens, and when all are closed again.
	OnBreaker func(open bool)
	// Rules are the rules of all processes of the deployment. An entry with a deadline beyond them
	// is undecodable. Without Rules, the limit is a year.
	Rules Rules
	// Lifespan is how long a bucket keeps a copy. Zero is for ever. See [Tombstone].
	Lifespan time.Duration
	// Undecodable is called for every entry or generation that could not be decoded. It must be
	// set.
	Undecodable func()
	// OnCommand, if set, is called after each command with its name in lower case, such as evalsha. A
	// pipeline counts as its first command. Commands that set up a connection do not count. The error
	// is a failure of redis: not one of the replies that callers expect.
	OnCommand func(name string, took time.Duration, err error)
	// Unreplicated, if set, is called for a purge that no replica has acknowledged in time, although
	// there are replicas. A failover may forget that purge.
	Unreplicated func()
}

const (
	// defaultTimeout bounds each step of a call if Options.Timeout is zero. A purge gets at least
	// this long.
	defaultTimeout = time.Second
	// poolTimeout bounds the wait for a connection. A full pool means a busy redis: the breaker
	// ends the wait if redis hangs.
	poolTimeout = 2 * time.Second
)

// Open returns a cache for the redis at url, whose form says what redis is:
//   - redis://, rediss:// or unix:// is one server.
//   - redis:// or rediss:// with master_name is the master that sentinels name. The host, and each
//     addr, is a sentinel. The user and the password before the host are those of the sentinels, and
//     the parameters username and password those of the master.
//   - redis+cluster:// or rediss+cluster:// is a cluster. The host, and each addr, is one of its
//     nodes.
//
// It does no I/O. Its error never contains the URL, which may hold passwords.
func Open(url string, o Options) (*Redis, error) {
	t, err := parse(url)
	if err != nil {
		return nil, err
	}
	prefix := cmp.Or(o.Prefix, DefaultPrefix)
	r := &Redis{
		prefix: prefix, channel: channel(prefix), rules: o.Rules, tombstone: Tombstone(o.Lifespan), scripts: newScripts(),
		now: time.Now, undecodable: o.Undecodable, unreplicated: o.Unreplicated,
	}
	if r.unreplicated == nil {
		r.unreplicated = func() {}
	}
	onBreaker := o.OnBreaker
	switch {
	case o.Timeout <= 0:
		onBreaker = nil
	case onBreaker == nil:
		onBreaker = func(bool) {}
	}
	r.nodes = newNodes(t, cmp.Or(o.Timeout, defaultTimeout), onBreaker, o.OnCommand)
	return r, nil
}

// Close closes the connections.
func (r *Redis) Close() error { return r.nodes.close() }

// Get returns the entry, or an Absent one if there is none before its deadline. It deletes an entry
// that is undecodable or past its deadline.
func (r *Redis) Get(ctx context.Context, key string) (Entry, error) {
	v, err := r.value(ctx, key, maxValue)
	if err != nil {
		return Entry{}, fmt.Errorf("get cache entry: %w", err)
	}
	return r.entry(ctx, key, v)
}

// run runs a script on the object's keys.
func (r *Redis) run(ctx context.Context, s *redis.Script, key string, args ...any) (*redis.Cmd, error) {
	return on(ctx, r.nodes, key, func(ctx context.Context, c redis.Cmdable) (*redis.Cmd, error) {
		cmd := s.Run(ctx, c, keys(key), args...)
		return cmd, cmd.Err()
	})
}

// entry decodes a value. It deletes junk, as read does an undecodable value.
func (r *Redis) entry(ctx context.Context, key string, v value) (Entry, error) {
	switch {
	case v.err != nil:
		return Entry{}, fmt.Errorf("get cache entry: %w", v.err)
	case v.junk:
		r.undecodable()
		if _, err := r.run(ctx, r.scripts.scrub, key, maxValue, r.channel); err != nil && !Replied(err) {
			return Entry{}, fmt.Errorf("drop cache entry: %w", err)
		}
		return Entry{}, nil
	case v.text == "":
		return Entry{}, nil
	default:
		return r.read(ctx, key, v.text)
	}
}

// read decodes a value. It deletes a value that is undecodable or past its deadline, because that
// value would block every caller of Acquire.
func (r *Redis) read(ctx context.Context, key, value string) (Entry, error) {
	entry, err := decode(key, value, r.now(), r.rules)
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
	return r.change(ctx, key, e, func(value string) (bool, error) { return r.drop(ctx, key, value) })
}

// drop deletes the entry if it still has the value, and returns whether it did.
func (r *Redis) drop(ctx context.Context, key, value string) (bool, error) {
	cmd, err := r.run(ctx, r.scripts.drop, key, value, r.channel)
	if err != nil {
		return false, fmt.Errorf("drop cache entry: %w", err)
	}
	return cmd.Bool()
}

// Put stores an entry until its deadline. It fails with [ErrPurged] if the object was purged after
// generation. A pending or failed entry does not replace a present one. A pending entry does not
// replace the error with which its run has ended, since an attempt may outlive its run. An
// entry past its deadline is not stored. None of these is an error. Put wakes the object's waiters,
// except for a pending entry without a new digest: all of them would only wait again.
func (r *Redis) Put(ctx context.Context, key string, generation int64, e Entry) error {
	ttl := e.Deadline.Sub(r.now()).Milliseconds()
	if ttl <= 0 {
		return nil
	}
	value, err := encode(key, e)
	if err != nil {
		return err
	}
	cmd, err := r.run(ctx, r.scripts.put, key, generation, value, ttl, news(e, value), r.channel, maxValue, r.maxGeneration(), ended(e))
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

// ended returns the part of an error's value that keeps a pending entry from replacing it, or an
// empty string.
func ended(e Entry) string {
	if e.State != Pending || e.Run == "" {
		return ""
	}
	run, _ := json.Marshal(e.Run) //nolint:errchkjson // a string
	return `"run":` + string(run)
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
