package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Schedule makes calls at fixed times.
type Schedule struct {
	Every   time.Duration
	Number  int // Of calls; 0 is no limit
	Workers int // Calls at the same time
}

// Run calls f with the number of each call and its scheduled time. A call that finds all workers
// busy is late. It changes no other call's time. Run returns when all calls have returned, or when
// ctx ends.
func (s Schedule) Run(ctx context.Context, f func(i int, due time.Time)) {
	var next atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range s.Workers {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if s.Number > 0 && i >= s.Number {
					return
				}
				due := start.Add(time.Duration(i) * s.Every)
				if Wait(ctx, time.Until(due)); ctx.Err() == nil {
					f(i, due)
				}
			}
		})
	}
	all.Wait()
}

// Wait returns after d, or when ctx ends.
func Wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// AtOnce calls f for 0 to n-1, with so many calls at the same time. It stops at the first error.
func AtOnce(n, workers int, f func(i int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, workers)
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					next.Store(int64(n))
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
