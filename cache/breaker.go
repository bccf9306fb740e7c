package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

const (
	// openAfter is the number of consecutive calls without a reply that open the breaker. After
	// openFor it lets one caller try redis.
	openAfter = 2
	openFor   = 500 * time.Millisecond
)

// breaker keeps callers from waiting for a hung redis: a few pay its timeout, the others fail at
// once. When it opens, calls that wait for a connection fail as well.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	// calls is the context of all calls. It ends when the breaker opens.
	calls atomic.Pointer[calls]
}

type calls struct {
	context.Context
	cancel context.CancelFunc
}

// Replied reports whether err is a reply of redis, such as OOM or READONLY, rather than a time-out
// or an I/O error. Redis may refuse a write and still answer reads.
func Replied(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

// newBreaker returns a closed breaker, which calls onChange when it opens and when it closes. A
// failed trial call is no change.
func newBreaker(onChange func(open bool)) *breaker {
	b := &breaker{}
	b.renew()
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:      openFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= openAfter },
		IsSuccessful: func(err error) bool { return err == nil || Replied(err) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.calls.Load().cancel()
			} else {
				b.renew()
			}
			if from == gobreaker.StateClosed || to == gobreaker.StateClosed {
				onChange(to == gobreaker.StateOpen)
			}
		},
	})
	return b
}

func (b *breaker) renew() {
	ctx, cancel := context.WithCancel(context.Background())
	b.calls.Store(&calls{ctx, cancel})
}

// guarded calls f unless the breaker is open. The redis client's timeouts bound the call. With a
// breaker the call ignores ctx, because a cancelled caller must not count as a failure of redis.
func guarded[T any](ctx context.Context, b *breaker, f func(context.Context) (T, error)) (T, error) {
	if b == nil {
		return f(ctx)
	}
	var out T
	_, err := b.circuit.Execute(func() (struct{}, error) {
		var err error
		out, err = f(b.calls.Load())
		return struct{}{}, err
	})
	return out, err
}
