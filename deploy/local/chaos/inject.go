package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/proxy"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	// readyAgain bounds how long a part may take to work after a fault.
	readyAgain   = 60 * time.Second
	restoreEvery = 200 * time.Millisecond
)

// run injects the faults of all steps in turn.
func (c *chaos) inject(ctx context.Context, steps []step) error {
	start := time.Now()
	for _, s := range steps {
		if wait(ctx, time.Until(start.Add(s.At))); ctx.Err() != nil {
			return ctx.Err()
		}
		var all sync.WaitGroup
		failed := make(chan error, len(s.Faults))
		for _, f := range s.Faults {
			all.Go(func() { failed <- c.one(ctx, f, s.For) })
		}
		all.Wait()
		for range s.Faults {
			if err := <-failed; err != nil {
				return err
			}
		}
	}
	return nil
}

// one injects a fault, ends it after its time, and waits until its targets work again.
func (c *chaos) one(ctx context.Context, f fault, length time.Duration) error {
	for _, target := range f.targets() {
		end := c.journal.Fault(target, string(f.Kind))
		defer end()
	}
	began := time.Now()
	err := c.begin(ctx, f)
	if f.Kind != kill || c.embedded(f.Target) { // A kill ends when the process is ready again
		wait(ctx, length)
	}
	restore, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyAgain)
	defer cancel()
	err = errors.Join(err, c.end(restore, f))
	if err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	c.injected(f)
	c.say("%6.1fs  %s for %s", began.Sub(c.started).Seconds(), f, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// embedded reports whether a target runs in this process.
func (c *chaos) embedded(target string) bool { return target == "origin" || target == "sqs" }

// begin starts a fault.
func (c *chaos) begin(ctx context.Context, f fault) error {
	switch f.Kind {
	case cut:
		return c.proxies[f.Target].Fail(proxy.Refuse)
	case slow:
		return c.proxies[f.Target].Fail(proxy.Slow)
	case lose:
		return c.proxies[f.Target].Fail(proxy.Lose)
	case full:
		return c.redis.Do(ctx, "CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", 1).Err()
	case readOnly:
		return c.redis.Do(ctx, "REPLICAOF", "127.0.0.1", 1).Err()
	case kill, freeze:
	}
	if f.Target == "origin" { // Clients of its proxy see the same as of a dead or a stopped process
		if f.Kind == kill {
			return c.proxies[f.Target].Fail(proxy.Refuse)
		}
		return c.proxies[f.Target].Fail(proxy.Hang)
	}
	if f.Target == "sqs" && f.Kind == freeze {
		return c.proxies[f.Target].Fail(proxy.Hang)
	}
	if f.Target == "sqs" {
		return c.stack.Stop(f.Target)
	}
	for _, target := range f.targets() {
		var err error
		if f.Kind == kill {
			err = c.stack.Kill(target)
		} else {
			err = c.stack.Signal(target, syscall.SIGSTOP)
		}
		// The other fault of a pair may have killed it.
		if err != nil && c.stack.PID(target) != 0 {
			return err
		}
	}
	return nil
}

// end ends a fault, and waits until its targets are ready.
func (c *chaos) end(ctx context.Context, f fault) error {
	switch f.Kind {
	case cut, slow, lose:
		return c.proxies[f.Target].Restore(ctx)
	case full:
		return c.command(ctx, "CONFIG", "SET", "maxmemory", 0)
	case readOnly:
		return c.command(ctx, "REPLICAOF", "NO", "ONE")
	case kill, freeze:
	}
	if p := c.proxies[f.Target]; c.embedded(f.Target) {
		if err := p.Restore(ctx); err != nil {
			return err
		}
	}
	if f.Target == "origin" {
		return nil
	}
	if f.Target == "sqs" {
		return c.stack.Resume(f.Target)
	}
	for _, target := range f.targets() {
		if f.Kind == freeze {
			_ = c.stack.Signal(target, syscall.SIGCONT) // It fails if the process has ended
		}
		if err := c.stack.WaitReady(ctx, target); err != nil {
			return err
		}
	}
	return nil
}

// command sends a command to redis until it succeeds: the other fault of a pair may be redis's too.
func (c *chaos) command(ctx context.Context, args ...any) error {
	for {
		err := c.redis.Do(ctx, args...).Err()
		if err == nil || ctx.Err() != nil {
			return err
		}
		wait(ctx, restoreEvery)
	}
}

// ready waits until all parts are ready.
func (c *chaos) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyAgain)
	defer cancel()
	for _, name := range c.stack.Names() {
		if err := c.stack.WaitReady(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// route puts a proxy before a service.
func (c *chaos) route(name, address string) (string, error) {
	if name == "origin" {
		address = c.source.Listener.Addr().String()
	}
	p, err := c.newProxy(name, address)
	if err != nil {
		return "", err
	}
	return p.Addr(), nil
}

func (c *chaos) newProxy(name, address string) (*proxy.Proxy, error) {
	p, err := c.server.New(name, address)
	if err == nil {
		c.proxies[name] = p
	}
	return p, err
}

// frontEndNames are the names of the front ends.
func frontEndNames() (names []string) {
	for i := range frontEnds {
		names = append(names, stack.FrontEndName(i))
	}
	return names
}
