package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

// attack is the misbehaviour of one client or one dependency.
type attack struct {
	name  string // For -only
	title string
	// run is the client's work, until ctx ends. Nil is a full redis.
	run func(context.Context, *attacker) error
}

func (a attack) String() string { return a.name + ": " + a.title }

func attacks() []attack {
	return []attack{
		{"bodies", fmt.Sprintf("%d requests whose body never comes", unsentBodies), unsent},
		{"idle", fmt.Sprintf("%d idle connections", idleConnections), idle},
		{"unread", fmt.Sprintf("%d pipelines, answers unread", unreadPipelines), unread},
		{"lines", fmt.Sprintf("%d request lines of 60 KiB a second", linesPerSecond), longLines},
		{"lists", fmt.Sprintf("%d URLs × %d times one region", listURLs, listRegions), products},
		{"crawl", fmt.Sprintf("%d objects at %d B/s", crawlingObjects, crawlRate), crawl},
		{"variants", fmt.Sprintf("%d variants of a URL a second", variantsPerSecond), variants},
		{"redis", "full, no eviction", nil},
	}
}

// start starts the attack. The returned function ends it and describes the attacker's requests.
func (a attack) start(ctx context.Context, sys *system) (end func(context.Context) (string, error), err error) {
	if a.run == nil {
		return sys.fillRedis(ctx)
	}
	attacker, err := load.StartBackground(ctx, runAttacker, attackTask{
		Attack: a.name, FrontEnd: sys.frontEnd(), Source: sys.sources.Attackers, Hit: sys.sources.hit(0),
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (string, error) {
		defer attacker.Stop()
		return attacker.Effort(ctx)
	}, nil
}

// fillRedis lets redis refuse every write that needs memory.
func (s *system) fillRedis(ctx context.Context) (func(context.Context) (string, error), error) {
	for setting, value := range map[string]string{"maxmemory-policy": "noeviction", "maxmemory": "1mb"} {
		if err := s.redis.ConfigSet(ctx, setting, value).Err(); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) (string, error) {
		err := s.redis.Set(ctx, "neighbours", strings.Repeat("x", 1<<10), time.Minute).Err()
		if err == nil {
			return "", errors.New("redis accepts writes")
		}
		if !strings.HasPrefix(err.Error(), "OOM") {
			return "", fmt.Errorf("redis is not full: %w", err)
		}
		return "every write: OOM", nil
	}, nil
}
