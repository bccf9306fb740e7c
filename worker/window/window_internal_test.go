package window

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWindow has Temporal accept workflows in some time, while some of them are in flight.
func TestWindow(t *testing.T) {
	const usual = 10 * time.Millisecond
	for name, tc := range map[string]struct {
		took     time.Duration
		inFlight int
		starts   int
		before   float64
		want     int
	}{
		"the first workflow":              {usual, 1, 1, 0, 2},
		"as fast as usual":                {usual, 100, 50, 1, 10},
		"as fast as usual, one in flight": {usual, 1, 100, 1, 3},
		"never above the largest":         {usual, 5000, 5000, maxWindow - 1, maxWindow},
		"twice the usual time":            {21 * time.Millisecond, 100, 10, 50, 50},
		"four times the usual time":       {40 * time.Millisecond, 100, 50, 50, 35},
		"never below the smallest":        {time.Second, 100, 200, 50, minWindow},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_800_000_000, 0)
			w := &Window{size: tc.before, usual: usual, at: now}
			for range tc.inFlight {
				w.Enter()
			}
			for range tc.starts {
				w.Started(tc.took, now)
			}
			require.Equal(t, tc.want, w.Limit())
			for range tc.inFlight {
				w.Leave()
			}
			require.Zero(t, w.inFlight)
		})
	}
}

// TestWindowsBecomeEqual has two bridges with windows of 1 and 40. Temporal is slow for both of
// them while they have more than 40 copies in flight.
func TestWindowsBecomeEqual(t *testing.T) {
	const usual = 10 * time.Millisecond
	now := time.Unix(1_800_000_000, 0)
	a, b := &Window{size: 1, usual: usual}, &Window{size: 40, usual: usual}
	for range 200 {
		took := usual
		if a.size+b.size > 40 {
			took = 4 * usual
		}
		for _, w := range []*Window{a, b} {
			w.inFlight = w.Limit()
			for range w.inFlight { // All copies of the window start.
				w.at = now
				w.Started(took, now)
			}
		}
	}
	require.InDelta(t, a.size, b.size, 5)
	require.Greater(t, a.size+b.size, 20.0)
}

// TestWindowOfANoisyTemporal has an idle Temporal, whose times differ. The window becomes large.
func TestWindowOfANoisyTemporal(t *testing.T) {
	const seed = 1
	for name, draw := range map[string]func(*rand.Rand) float64{
		"log-normal times":          func(r *rand.Rand) float64 { return 10 * math.Exp(0.9*r.NormFloat64()) },
		"a few are very fast":       func(r *rand.Rand) float64 { return 10 - 8*math.Floor(r.Float64()+0.01) },
		"a few are very slow":       func(r *rand.Rand) float64 { return 10 + 90*math.Floor(r.Float64()+0.1) },
		"control: all are the same": func(*rand.Rand) float64 { return 10 },
	} {
		t.Run(name, func(t *testing.T) {
			w, rng := &Window{}, rand.New(rand.NewPCG(seed, seed))
			for range 1000 {
				w.Enter()
			}
			now := time.Unix(1_800_000_000, 0)
			for range 2000 {
				now = now.Add(10 * time.Millisecond)
				w.Started(time.Duration(draw(rng)*float64(time.Millisecond)), now)
			}
			require.Greater(t, w.Limit(), 10)
		})
	}
}

// TestWindowAfterASlowPhase has Temporal be slow at the start. Sixteen fast workflows are usual at
// once.
func TestWindowAfterASlowPhase(t *testing.T) {
	w, now := &Window{}, time.Unix(1_800_000_000, 0)
	for range 100 {
		w.Enter()
	}
	start := func(took time.Duration) {
		now = now.Add(10 * time.Millisecond)
		w.Started(took, now)
	}
	for range 500 {
		start(time.Second)
	}
	for range many/2 + 1 {
		require.Greater(t, w.usual, 10*time.Millisecond)
		start(10 * time.Millisecond)
	}
	require.Equal(t, 10*time.Millisecond, w.usual)
	for range 200 {
		start(time.Second)
	}
	require.Equal(t, minWindow, w.Limit())
	for range 100 {
		start(10 * time.Millisecond)
	}
	require.Greater(t, w.Limit(), 10)
	for range many {
		start(0)
	}
	require.Positive(t, w.usual, "a clock may stand still")
}

// TestUsualTimeDoublesInMinutes has Temporal become four times slower for good.
func TestUsualTimeDoublesInMinutes(t *testing.T) {
	w, now := &Window{}, time.Unix(1_800_000_000, 0)
	start := func(took time.Duration) {
		now = now.Add(time.Second)
		w.Started(took, now)
	}
	for range many {
		start(10 * time.Millisecond)
	}
	for range 60 {
		start(40 * time.Millisecond)
	}
	require.Less(t, w.usual, 13*time.Millisecond, "a burst of a minute is not usual")
	for range int((2 * doubling).Seconds()) {
		start(40 * time.Millisecond)
	}
	require.Equal(t, 40*time.Millisecond, w.usual)
}

// TestWindowAfterALongPause has a bridge get nothing for a year.
func TestWindowAfterALongPause(t *testing.T) {
	w, now := &Window{}, time.Unix(1_800_000_000, 0)
	start := func() {
		w.Enter()
		now = now.Add(10 * time.Millisecond)
		w.Started(10*time.Millisecond, now)
	}
	for range 2 * many {
		start()
	}
	before := w.Limit()
	now = now.Add(365 * 24 * time.Hour)
	for range many {
		start()
	}
	require.Equal(t, 10*time.Millisecond, w.usual)
	require.Greater(t, w.Limit(), before)
}
