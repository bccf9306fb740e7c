package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

const (
	wakeP99      = 20.0 // Target: milliseconds from the write to the client
	crowd        = 1000 // Waiting clients
	crowdObjects = 100  // That they wait for
)

// wakes measures how soon waiting clients receive their redirect, from the moment before the entry
// is written to redis.
func wakes(ctx context.Context, f *fixture, t *report.Table) error {
	if err := f.redis.FlushDB(ctx).Err(); err != nil {
		return err
	}
	s, err := f.frontEnd(ctx, fromMemory, defaultEntries, defaultMemory)
	if err != nil {
		return err
	}
	defer s.Stop()
	took, err := f.wake(ctx, s)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("woken, %d clients on %d objects, ", crowd, crowdObjects)
	t.Add(report.Row{Label: title + "median", Unit: report.Milliseconds, Figure: report.Quantile(took, .5)})
	t.Add(report.Row{Label: title + "p99", Unit: report.Milliseconds, Figure: report.Quantile(took, .99), Target: report.AtMost(wakeP99)})
	t.Add(report.Row{Label: title + "the last", Unit: report.Milliseconds, Figure: report.Quantile(took, 1)})
	return nil
}

// wake returns how long each client waited after the write, in milliseconds.
func (f *fixture) wake(ctx context.Context, s *process.Server) ([]float64, error) {
	client := newClient()
	var written [crowdObjects]atomic.Int64 // Unix nanoseconds
	took := make([]float64, crowd)
	errs := make([]error, crowd)
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() {
			resp, err := get(ctx, client, s, i%crowdObjects)
			took[i] = float64(time.Now().UnixNano()-written[i%crowdObjects].Load()) / 1e6
			if err == nil {
				err = resp.Body.Close()
			}
			errs[i] = err
		})
	}
	if err := f.waitForCrowd(ctx, s); err != nil {
		return nil, err
	}
	for i := range crowdObjects {
		written[i].Store(time.Now().UnixNano())
		if err := f.put(ctx, i); err != nil {
			return nil, err
		}
		<-time.After(5 * time.Millisecond)
	}
	all.Wait()
	return took, cmp.Or(errs...)
}

// waitForCrowd returns when all objects are requested and all clients are connected.
func (f *fixture) waitForCrowd(ctx context.Context, s *process.Server) error {
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
		entries, err := f.redis.DBSize(ctx).Result()
		if err != nil {
			return err
		}
		connections, err := s.Sockets()
		if err != nil {
			return err
		}
		if entries >= crowdObjects && connections >= crowd {
			<-time.After(500 * time.Millisecond) // Until the last of them wait
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d clients are connected, and %d of %d objects are requested", connections, crowd, entries, crowdObjects)
		}
	}
}
