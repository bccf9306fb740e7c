package load_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

// TestScheduleKeepsItsTimes lets the only worker be busy until the second call is late. The time of
// the bubble is exact.
func TestScheduleKeepsItsTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 10 * time.Millisecond
		start := time.Now()
		var due, made []time.Duration
		load.Schedule{Every: every, Number: 5, Workers: 1}.Run(t.Context(), func(i int, at time.Time) {
			if i != len(due) {
				t.Errorf("call %d is number %d", len(due), i)
			}
			due, made = append(due, at.Sub(start)), append(made, time.Since(start))
			if i == 0 {
				<-time.After(3 * every)
			}
		})
		if want := []time.Duration{0, every, 2 * every, 3 * every, 4 * every}; !slices.Equal(due, want) {
			t.Errorf("the calls were due at %v, want %v", due, want)
		}
		if want := []time.Duration{0, 3 * every, 3 * every, 3 * every, 4 * every}; !slices.Equal(made, want) {
			t.Errorf("the calls were made at %v, want %v", made, want)
		}
	})
}

func TestScheduleEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	load.Schedule{Every: time.Millisecond, Workers: 1}.Run(ctx, func(i int, _ time.Time) {
		if calls++; i == 4 {
			cancel()
		}
	})
	if calls != 5 {
		t.Errorf("%d calls were made, want 5", calls)
	}
}

func TestScheduleMakesEachCallOnce(t *testing.T) {
	made := make(chan int, 100)
	load.Schedule{Every: time.Microsecond, Number: 100, Workers: 8}.Run(t.Context(), func(i int, _ time.Time) { made <- i })
	close(made)
	seen := map[int]bool{}
	for i := range made {
		seen[i] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 calls were made", len(seen))
	}
}

func TestAtOnceStopsAtAnError(t *testing.T) {
	failed := errors.New("failed")
	var calls atomic.Int64
	err := load.AtOnce(1000, 4, func(i int) error {
		if calls.Add(1); i == 10 {
			return failed
		}
		return nil
	})
	if n := calls.Load(); !errors.Is(err, failed) || n < 11 || n == 1000 {
		t.Errorf("%d calls were made, and the error is %v", n, err)
	}
	if err := load.AtOnce(1000, 4, func(int) error { return nil }); err != nil {
		t.Errorf("without a failed call the error is %v", err)
	}
}
