package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	bytesPerEntry = 250                   // in redis, at most, for a URL of 100 bytes
	wakeP99       = 20 * time.Millisecond // from the write to the client
	crowd         = 1000                  // clients who wait
	crowdObjects  = 100                   // for so many objects
)

// costs measures what entries take, in redis and in a front end that has answered for all of them.
func costs(ctx context.Context, h *house, t *table) error {
	if err := h.redis.FlushDB(ctx).Err(); err != nil {
		return err
	}
	before, err := h.usedMemory(ctx)
	if err != nil {
		return err
	}
	err = each(h.entries, func(i int) error { return h.cache.Put(ctx, key(i), 0, present()) })
	if err != nil {
		return err
	}
	after, err := h.usedMemory(ctx)
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("redis, of %d entries", h.entries), float64(after-before)/float64(h.entries), "B each", 0, -bytesPerEntry)

	p, err := h.frontEnd(ctx, announcing, 2*h.entries, strconv.Itoa(3<<10*h.entries))
	if err != nil {
		return err
	}
	defer p.stop()
	client := newClient()
	ask := func(i int) error {
		resp, err := getBy(ctx, client, p, i)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return errors.Join(err, resp.Body.Close())
	}
	if err := each(1000, ask); err != nil {
		return err
	}
	few, err := p.resident()
	if err != nil {
		return err
	}
	if err := each(h.entries, ask); err != nil {
		return err
	}
	many, err := p.resident()
	if err != nil {
		return err
	}
	t.add("front end, of a million redirects in memory", float64(many-few)/float64(h.entries-1000)*1e6/(1<<20), "MiB", 0, 0)
	return nil
}

// each calls f for 0 to n-1, 32 at a time.
func each(n int, f func(i int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, 32)
	for range cap(errs) {
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

var usedMemory = regexp.MustCompile(`used_memory:(\d+)`)

func (h *house) usedMemory(ctx context.Context) (int64, error) {
	info, err := h.redis.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	return number(usedMemory, info)
}

var residentKiB = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident is a process's resident memory in bytes.
func (p *process) resident() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	n, err := number(residentKiB, string(status))
	return n << 10, err
}

func number(pattern *regexp.Regexp, text string) (int64, error) {
	m := pattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("nothing like %s", pattern)
	}
	return strconv.ParseInt(m[1], 10, 64)
}

// wakes measures how soon clients who wait for a copy have their redirect, from the moment before it is written to redis.
func wakes(ctx context.Context, h *house, t *table) error {
	if err := h.redis.FlushDB(ctx).Err(); err != nil {
		return err
	}
	p, err := h.frontEnd(ctx, announcing, 100_000, "256MiB")
	if err != nil {
		return err
	}
	defer p.stop()
	client := newClient()
	var written [crowdObjects]atomic.Int64 // Unix nanoseconds
	took := make([]float64, crowd)
	errs := make(chan error, crowd)
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() {
			resp, err := getBy(ctx, client, p, i%crowdObjects)
			took[i] = float64(time.Now().UnixNano()-written[i%crowdObjects].Load()) / 1e6
			if err == nil {
				err = resp.Body.Close()
			}
			errs <- err
		})
	}
	if err := p.waitFor(ctx, crowd, h); err != nil {
		return err
	}
	for i := range crowdObjects {
		written[i].Store(time.Now().UnixNano())
		if err := h.cache.Put(ctx, key(i), 0, present()); err != nil {
			return err
		}
		<-time.After(5 * time.Millisecond)
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	title := fmt.Sprintf("woken, %d clients on %d objects, ", crowd, crowdObjects)
	t.add(title+"median", quantile(took, .5), "ms", 0, 0)
	t.add(title+"p99", quantile(took, .99), "ms", 0, -float64(wakeP99.Milliseconds()))
	t.add(title+"the last", quantile(took, 1), "ms", 0, 0)
	return nil
}

// waitFor returns when all have asked for their copies, and so many clients are connected.
func (p *process) waitFor(ctx context.Context, clients int, h *house) error {
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
		entries, err := h.redis.DBSize(ctx).Result()
		if err != nil {
			return err
		}
		connections, err := p.connections()
		if err != nil {
			return err
		}
		if entries >= crowdObjects && connections >= clients {
			<-time.After(500 * time.Millisecond) // until all of them wait
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d clients and %d objects, not %d and %d", connections, entries, clients, crowdObjects)
		}
	}
}

// connections counts the sockets of a process.
func (p *process) connections() (n int, err error) {
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if to, err := os.Readlink(dir + "/" + f.Name()); err == nil && len(to) > 7 && to[:7] == "socket:" {
			n++
		}
	}
	return n, err
}
