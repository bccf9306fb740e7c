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
	// openAfter failures in a row redis is not asked any more, for openFor; then by one caller, as a try.
	openAfter = 2
	openFor   = 500 * time.Millisecond
)

// breaker keeps callers from waiting for a redis that hangs: a few pay its timeout, and no others. Those who wait for a
// connection when it opens are sent away as well.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	// calls is the context of all calls until the breaker opens.
	calls atomic.Pointer[calls]
}

type calls struct {
	context.Context
	cancel context.CancelFunc
}

// newBreaker returns a closed one. onChange is told when it opens and closes.
func newBreaker(onChange func(open bool)) *breaker {
	b := &breaker{}
	b.renew()
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:      openFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= openAfter },
		IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, redis.Nil) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.calls.Load().cancel()
			} else {
				b.renew()
			}
			if to != gobreaker.StateHalfOpen {
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

// guarded calls f unless redis is known to be away. The call is bounded by the client's timeouts, and does not end with
// ctx if there is a breaker: a client that goes away says nothing of redis.
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
