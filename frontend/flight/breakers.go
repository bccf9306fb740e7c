package flight

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
	// hangAfter bounds one HEAD or send, SDK retries included. A call that exceeds it opens the
	// circuit breaker for openFor, so that only the first callers pay.
	hangAfter = 900 * time.Millisecond
	openFor   = 500 * time.Millisecond
)

// errHung marks a call that exceeded hangAfter. Other failures return at once and need no breaker.
var errHung = errors.New("no answer in time")

// Breakers reports to operators which circuit breakers are open.
type Breakers struct {
	open *prometheus.GaugeVec
	log  zerolog.Logger
}

// NewBreakers registers the metric.
func NewBreakers(r *prometheus.Registry, log zerolog.Logger) *Breakers {
	return &Breakers{log: log, open: promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{
		Name: "cloud_mirror_breaker_open",
		Help: "1 while the circuit breaker of a dependency is open, by dependency: redis, sqs, or the pool's id.",
	}, []string{"dependency"})}
}

// Changed returns a function to call when the dependency's breaker opens or closes.
func (b *Breakers) Changed(dependency string) func(open bool) {
	gauge := b.open.WithLabelValues(dependency)
	return func(open bool) {
		if open {
			gauge.Set(1)
			b.log.Warn().Str("dependency", dependency).Msg("circuit breaker open: dependency does not answer")
		} else {
			gauge.Set(0)
			b.log.Info().Str("dependency", dependency).Msg("circuit breaker closed: dependency answers again")
		}
	}
}

// breaker is a circuit breaker for calls that must answer within hangAfter.
type breaker[T any] struct{ circuit *gobreaker.CircuitBreaker[T] }

func newBreaker[T any](onChange func(open bool)) breaker[T] {
	return breaker[T]{gobreaker.NewCircuitBreaker[T](gobreaker.Settings{
		Timeout:      openFor,
		ReadyToTrip:  func(gobreaker.Counts) bool { return true },
		IsSuccessful: func(err error) bool { return !errors.Is(err, errHung) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if from == gobreaker.StateClosed || to == gobreaker.StateClosed {
				onChange(to == gobreaker.StateOpen) // A failed trial call is no change.
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
