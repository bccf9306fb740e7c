package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

const (
	bytesPerEntry = 250 // Target: an entry in redis, for a URL of 100 bytes
	// bytesPerRedirect is the target of a redirect in memory: 1.2 GiB for a million.
	bytesPerRedirect = 1288
	sessionToken     = 1024 // Bytes; those of AWS have about as many
	warmUp           = 1000 // Requests before the first look at a front end's memory
	parallel         = 32
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
	for _, of := range []struct {
		label string
		env   []string
	}{
		{"front end, a million redirects in memory", nil},
		{"front end, the same with a session token", []string{"AWS_SESSION_TOKEN=" + strings.Repeat("t", sessionToken)}},
	} {
		each, held, err := f.memoryInFrontEnd(ctx, of.env...)
		if err != nil {
			return err
		}
		t.Add(report.Row{Label: of.label, Unit: report.MiB, Figure: each * 1e6, Target: report.AtMost(bytesPerRedirect * 1e6)})
		t.Add(report.Row{Label: "  share of them that it holds", Unit: report.Times, Figure: held, Target: report.AtLeast(1)})
	}
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

// memoryInFrontEnd returns the bytes of one redirect in the memory of a front end that may use
// bytesPerRedirect for each. It also returns the share of the redirects that are held, from a sample.
func (f *fixture) memoryInFrontEnd(ctx context.Context, env ...string) (each, held float64, err error) {
	s, err := f.frontEnd(ctx, fromMemory, 2*f.entries, strconv.Itoa(bytesPerRedirect*f.entries), env...)
	if err != nil {
		return 0, 0, err
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
		return 0, 0, err
	}
	before, err := s.Resident()
	if err != nil {
		return 0, 0, err
	}
	if err := forEach(f.entries, request); err != nil {
		return 0, 0, err
	}
	after, err := s.Resident()
	if err != nil {
		return 0, 0, err
	}
	reads, err := f.readsOf(ctx, func() error {
		return forEach(warmUp, func(i int) error { return request(i * f.entries / warmUp) })
	})
	return float64(after-before) / float64(f.entries-warmUp), 1 - float64(reads)/warmUp, err
}

// readsOf returns how many keys in redis were read during do.
func (f *fixture) readsOf(ctx context.Context, do func() error) (int64, error) {
	before, err := f.info(ctx, "stats", "keyspace_hits")
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := f.info(ctx, "stats", "keyspace_hits")
	return after - before, err
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
	return f.info(ctx, "memory", "used_memory")
}

// info returns a number in a section of the INFO of redis.
func (f *fixture) info(ctx context.Context, section, name string) (int64, error) {
	info, err := f.redis.Info(ctx, section).Result()
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(name + `:(\d+)`).FindStringSubmatch(info)
	if m == nil {
		return 0, fmt.Errorf("the INFO of redis has no %s", name)
	}
	return strconv.ParseInt(m[1], 10, 64)
}
