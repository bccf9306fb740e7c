package main

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/rig"
)

// fixture is the rig of the benchmark.
type fixture struct {
	settings
	rig   *rig.Rig
	dir   string
	redis *redis.Client
}

func newFixture(ctx context.Context, s settings) (*fixture, error) {
	r, err := rig.New(ctx, s.binary)
	if err != nil {
		return nil, err
	}
	return &fixture{settings: s, rig: r, dir: r.Dir, redis: r.Redis}, nil
}

func (f *fixture) close() error { return f.rig.Close() }

// The front end keeps redirects in memory, or reads redis for every request: see [rig.FrontEnd].
const (
	fromMemory = ""
	fromRedis  = "?protocol=2"
)

// The product's defaults of frontend.cache_entries and frontend.cache_memory.
const (
	defaultEntries = 200_000
	defaultMemory  = "256MiB"
)

// frontEnd starts a front end that keeps at most that number of entries in that much memory. The
// variables, as NAME=value, are added to its environment.
func (f *fixture) frontEnd(ctx context.Context, redisQuery string, entries int, memory string, env ...string) (*process.Server, error) {
	return f.rig.FrontEnd(ctx, rig.FrontEnd{
		RedisQuery: redisQuery, Settings: map[string]any{"cache_entries": entries, "cache_memory": memory}, Env: env,
	})
}

// put writes the entry of a copy of the i-th object.
func (f *fixture) put(ctx context.Context, i int) error { return f.rig.Put(ctx, i) }
