package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// schedule makes calls at fixed times.
type schedule struct {
	every   time.Duration
	number  int // of calls; 0 is no limit
	workers int // calls at the same time
}

// run calls f with the number of each call and its scheduled time. A call that finds all workers
// busy is late. It changes no other call's time. run returns when all calls have returned, or when
// ctx ends.
func (s schedule) run(ctx context.Context, f func(i int, due time.Time)) {
	var next atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range s.workers {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if s.number > 0 && i >= s.number {
					return
				}
				due := start.Add(time.Duration(i) * s.every)
				if wait(ctx, time.Until(due)); ctx.Err() == nil {
					f(i, due)
				}
			}
		})
	}
	all.Wait()
}
