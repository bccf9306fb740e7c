package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

const (
	bytesPerEntry = 250  // target: an entry in redis, for a URL of 100 bytes
	warmUp        = 1000 // requests before the first look at a front end's memory
	parallel      = 32
)

// memory measures the memory of entries: in redis, and in a front end that has answered requests
// for all of them.
func memory(ctx context.Context, f *fixture, t *report.Table) error {
	inRedis, err := f.memoryInRedis(ctx)
	if err != nil {
		return err
	}
	t.Add(report.Row{
		Label: fmt.Sprintf("redis, each of %d entries", f.entries), Unit: report.Bytes, Figure: inRedis, Target: report.AtMost(bytesPerEntry),
	})
	inFrontEnd, err := f.memoryInFrontEnd(ctx)
	if err != nil {
		return err
	}
	t.Add(report.Row{Label: "front end, a million redirects in memory", Unit: report.MiB, Figure: inFrontEnd * 1e6})
	return nil
}

// memoryInRedis puts all entries, and returns the bytes of each.
func (f *fixture) memoryInRedis(ctx context.Context) (float64, error) {
	if err := f.redis.FlushDB(ctx).Err(); err != nil {
		return 0, err
	}
	before, err := f.usedMemory(ctx)
	if err != nil {
		return 0, err
	}
	if err := forEach(f.entries, func(i int) error { return f.put(ctx, i) }); err != nil {
		return 0, err
	}
	after, err := f.usedMemory(ctx)
	return float64(after-before) / float64(f.entries), err
}

// memoryInFrontEnd returns the bytes of one redirect in memory.
func (f *fixture) memoryInFrontEnd(ctx context.Context) (float64, error) {
	s, err := f.frontEnd(ctx, fromMemory, 2*f.entries, strconv.Itoa(3<<10*f.entries))
	if err != nil {
		return 0, err
	}
	defer s.Stop()
	client := newClient()
	request := func(i int) error {
		resp, err := get(ctx, client, s, i)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return errors.Join(err, resp.Body.Close())
	}
	if err := forEach(warmUp, request); err != nil {
		return 0, err
	}
	before, err := s.Resident()
	if err != nil {
		return 0, err
	}
	if err := forEach(f.entries, request); err != nil {
		return 0, err
	}
	after, err := s.Resident()
	return float64(after-before) / float64(f.entries-warmUp), err
}

// forEach calls f for 0 to n-1, 32 at a time.
func forEach(n int, f func(i int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, parallel)
	for range parallel {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

// usedMemory is that of redis, in bytes.
func (f *fixture) usedMemory(ctx context.Context) (int64, error) {
	info, err := f.redis.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`used_memory:(\d+)`).FindStringSubmatch(info)
	if m == nil {
		return 0, errors.New("the INFO of redis has no used_memory")
	}
	return strconv.ParseInt(m[1], 10, 64)
}
