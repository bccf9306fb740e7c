package system

import (
	"context"
	"time"
)

// drained returns a context that ends the given time after ctx. At the end of ctx it calls begin, unless
// the time is zero.
func drained(ctx context.Context, after time.Duration, begin func()) (context.Context, context.CancelFunc) {
	if after == 0 {
		return context.WithCancel(ctx)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-ctx.Done():
		case <-running.Done():
			return
		}
		begin()
		select {
		case <-time.After(after):
		case <-running.Done():
		}
		cancel()
	}()
	return running, cancel
}
