package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestScheduleKeepsItsTimes lets the only worker be busy until the second call is late. The time of
// the bubble is exact.
func TestScheduleKeepsItsTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 10 * time.Millisecond
		start := time.Now()
		var due, made []time.Duration
		schedule{every: every, number: 5, workers: 1}.run(t.Context(), func(i int, at time.Time) {
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
	schedule{every: time.Millisecond, workers: 1}.run(ctx, func(i int, _ time.Time) {
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
	schedule{every: time.Microsecond, number: 100, workers: 8}.run(t.Context(), func(i int, _ time.Time) { made <- i })
	close(made)
	seen := map[int]bool{}
	for i := range made {
		seen[i] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 calls were made", len(seen))
	}
}
