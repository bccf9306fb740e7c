package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

const (
	// masterName is the sentinels' name of the master.
	masterName = "main"
	// downAfter is when a sentinel takes the master for dead, as the page about redis recommends.
	downAfter = time.Second
	// promotion is how long the sentinels may take to know each other, and to promote the replica.
	promotion = 30 * time.Second
)

// sentinels are three sentinels that watch a master with a replica.
type sentinels struct {
	servers   []*process.Server // All of them
	master    *process.Server
	addresses []string // Of the sentinels
}

// startSentinels returns when a failover is possible.
func startSentinels(ctx context.Context, dir string) (s *sentinels, err error) {
	s = &sentinels{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.master, err = s.start(ctx, dir); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.master.Address)
	if err != nil {
		return nil, err
	}
	if _, err = s.start(ctx, dir, "--replicaof", host, port); err != nil {
		return nil, err
	}
	for i := range 3 {
		file := filepath.Join(dir, fmt.Sprintf("sentinel-%d.conf", i))
		lines := fmt.Sprintf("sentinel monitor %s %s %s 2\nsentinel down-after-milliseconds %s %d\n",
			masterName, host, port, masterName, downAfter.Milliseconds())
		if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
			return nil, err
		}
		sentinel, err := s.start(ctx, dir, file, "--sentinel")
		if err != nil {
			return nil, err
		}
		s.addresses = append(s.addresses, sentinel.Address)
	}
	return s, s.until(ctx, "the sentinels know each other and the replica", func(c *redis.Client) bool {
		info, err := c.Info(ctx, "sentinel").Result()
		return err == nil && strings.Contains(info, "slaves=1,sentinels=3")
	})
}

// start starts a redis-server with its own port. A file of settings comes first among its arguments.
func (s *sentinels) start(ctx context.Context, dir string, args ...string) (*process.Server, error) {
	address, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	all := append(args, "--bind", host, "--port", port, "--dir", dir, "--save", "", "--logfile", "/dev/null", //nolint:gocritic // args ends here
		"--dbfilename", port+".rdb")
	server, err := process.Start(ctx, process.Program{Path: "redis-server", Args: all}, address)
	if err == nil {
		s.servers = append(s.servers, server)
	}
	return server, err
}

func (s *sentinels) stop() {
	for _, server := range s.servers {
		server.Stop()
	}
}

// url is the redis.url of the master.
func (s *sentinels) url() string {
	return "redis://" + s.addresses[0] + "/0?master_name=" + masterName + "&addr=" + strings.Join(s.addresses[1:], "&addr=")
}

// until waits until each sentinel fulfils the condition.
func (s *sentinels) until(ctx context.Context, what string, holds func(*redis.Client) bool) error {
	deadline := time.Now().Add(promotion)
	for _, address := range s.addresses {
		c := redis.NewClient(&redis.Options{Addr: address})
		defer c.Close() //nolint:errcheck // Nothing to do about it
		for !holds(c) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("not within %s: %s", promotion, what)
			}
			load.Wait(ctx, 10*time.Millisecond)
		}
	}
	return nil
}

// failOver kills the master, and returns when the sentinels name another master.
func (s *sentinels) failOver(ctx context.Context) (what string, err error) {
	start := time.Now()
	if err := syscall.Kill(s.master.PID(), syscall.SIGKILL); err != nil {
		return "", fmt.Errorf("kill the master: %w", err)
	}
	c := redis.NewSentinelClient(&redis.Options{Addr: s.addresses[0]})
	defer c.Close() //nolint:errcheck // Nothing to do about it
	for {
		at, err := c.GetMasterAddrByName(ctx, masterName).Result()
		if err == nil && net.JoinHostPort(at[0], at[1]) != s.master.Address {
			return fmt.Sprintf("a replica was promoted after %s", time.Since(start).Round(time.Millisecond)), nil
		}
		if time.Since(start) > promotion || ctx.Err() != nil {
			return "", fmt.Errorf("no replica was promoted within %s", promotion)
		}
		load.Wait(ctx, 10*time.Millisecond)
	}
}
