package frontend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"
	"github.com/sony/gobreaker/v2"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const (
	// hangAfter is how long one look at the bucket or one message may take, with the retries of the SDK. A dependency that
	// takes longer is not asked for openFor, so that only the first ones to meet it pay for that.
	hangAfter = 900 * time.Millisecond
	openFor   = 500 * time.Millisecond
)

// errHung is a failure that cost its caller hangAfter. Others cost nothing, and need no breaker.
var errHung = errors.New("no answer in time")

// Breakers tells operators which dependencies are not asked at the moment.
type Breakers struct {
	open *prometheus.GaugeVec
	log  zerolog.Logger
}

// NewBreakers registers the metric.
func NewBreakers(r *prometheus.Registry, log zerolog.Logger) *Breakers {
	return &Breakers{log: log, open: promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{
		Name: "cloud_mirror_breaker_open",
		Help: "1 while a dependency that hangs is not asked, by dependency: redis, sqs, or the pool's id.",
	}, []string{"dependency"})}
}

// Changed returns the function that is to be told when a dependency's breaker opens and closes.
func (b *Breakers) Changed(dependency string) func(open bool) {
	gauge := b.open.WithLabelValues(dependency)
	return func(open bool) {
		if open {
			gauge.Set(1)
			b.log.Warn().Str("dependency", dependency).Msg("hangs, and is not asked for the moment")
		} else {
			gauge.Set(0)
			b.log.Info().Str("dependency", dependency).Msg("answers again")
		}
	}
}

// breaker guards calls that have hangAfter to answer.
type breaker[T any] struct{ circuit *gobreaker.CircuitBreaker[T] }

func newBreaker[T any](onChange func(open bool)) breaker[T] {
	return breaker[T]{gobreaker.NewCircuitBreaker[T](gobreaker.Settings{
		Timeout:      openFor,
		ReadyToTrip:  func(gobreaker.Counts) bool { return true },
		IsSuccessful: func(err error) bool { return !errors.Is(err, errHung) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to != gobreaker.StateHalfOpen {
				onChange(to == gobreaker.StateOpen)
			}
		},
	})}
}

func (b breaker[T]) call(ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	return b.circuit.Execute(func() (T, error) {
		ctx, cancel := context.WithTimeout(ctx, hangAfter)
		defer cancel()
		out, err := f(ctx)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", errHung, err)
		}
		return out, err
	})
}

type guardedBucket struct {
	Bucket
	heads breaker[storage.Stored]
}

func (b guardedBucket) Head(ctx context.Context, key string) (storage.Stored, error) {
	return b.heads.call(ctx, func(ctx context.Context) (storage.Stored, error) { return b.Bucket.Head(ctx, key) })
}

type guardedQueue struct {
	Queue
	sends breaker[struct{}]
}

func (q guardedQueue) Send(ctx context.Context, r queue.Request) error {
	_, err := q.sends.call(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, q.Queue.Send(ctx, r) })
	return err
}
