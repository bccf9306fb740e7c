package cache

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Commands returns the names of the commands that a [Redis] sends often, as Options.OnCommand gets
// them.
func Commands() []string { return []string{"eval", "evalsha", "getrange", "set"} }

// Pool is the state of the connections to redis. The counters grow from zero.
type Pool struct {
	Open, Idle int64
	// Hits counts the commands that found an idle connection, Misses those that did not, and Timeouts
	// those that waited for one in vain.
	Hits, Misses, Timeouts uint64
}

// Pool returns the state of the connections, without those that track changes.
func (r *Redis) Pool() Pool {
	s := r.nodes.stats()
	return Pool{
		Open: int64(s.TotalConns), Idle: int64(s.IdleConns),
		Hits: uint64(s.Hits), Misses: uint64(s.Misses), Timeouts: uint64(s.Timeouts),
	}
}

// timed is a hook that reports each command with its time.
type timed struct {
	report func(name string, took time.Duration, err error)
}

var _ redis.Hook = timed{}

// DialHook changes nothing.
func (timed) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook times a command.
func (h timed) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		start := time.Now()
		err := next(ctx, cmd)
		h.timed(ctx, cmd, start, err)
		return err
	}
}

// ProcessPipelineHook times a pipeline.
func (h timed) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, all []redis.Cmder) error {
		start := time.Now()
		err := next(ctx, all)
		if len(all) > 0 {
			h.timed(ctx, all[0], start, err)
		}
		return err
	}
}

// timed reports a command, unless it sets up a connection: an older redis refuses some of those, and
// the library goes on.
func (h timed) timed(ctx context.Context, cmd redis.Cmder, start time.Time, err error) {
	switch cmd.Name() {
	case "auth", "client", "hello", "select":
		return
	}
	h.report(cmd.Name(), time.Since(start), failureOf(ctx, err))
}

// failureOf returns err unless it is a reply that callers expect: no value, a value of another type,
// a script that redis has to learn, or the address of another node.
func failureOf(ctx context.Context, err error) error {
	_, moved := redis.IsMovedError(err)
	_, ask := redis.IsAskError(err)
	switch {
	case err == nil, errors.Is(err, redis.Nil), moved, ask,
		redis.HasErrorPrefix(err, "NOSCRIPT"), redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	}
	return err
}
