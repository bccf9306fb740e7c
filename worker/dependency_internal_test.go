package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// gaugeDouble notes whether the gauge was made, and whether the time of a success was set.
type gaugeDouble struct {
	prometheus.Gauge
	made, set bool
}

func (g *gaugeDouble) SetToCurrentTime() { g.set = true }

func TestDependency(t *testing.T) {
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	type call struct {
		at   time.Duration
		fail bool
		took time.Duration
	}
	for name, tc := range map[string]struct {
		calls []call
		now   time.Duration
		down  bool
	}{
		"nothing tried":                        {nil, time.Hour, false},
		"an answer an hour ago":                {[]call{{0, false, 0}}, time.Hour, false},
		"two misses":                           {[]call{{0, true, 0}, {15 * time.Second, true, 0}}, 44 * time.Second, false},
		"three misses":                         {[]call{{0, true, 0}, {15 * time.Second, true, 0}, {30 * time.Second, true, 0}}, 45 * time.Second, true},
		"a hang that ended after its deadline": {[]call{{0, true, 45 * time.Second}}, 45 * time.Second, true},
		"one miss, and no further call":        {[]call{{0, true, time.Second}}, time.Hour, false},
		"misses of two receivers at once":      {[]call{{0, true, 0}, {0, true, 0}, {0, true, 0}}, time.Hour, false},
		"an answer after three misses":         {[]call{{0, true, 0}, {15 * time.Second, true, 0}, {30 * time.Second, true, 0}, {45 * time.Second, false, 0}}, time.Hour, false},
		"an answer between misses":             {[]call{{0, true, 0}, {15 * time.Second, false, 0}, {30 * time.Second, true, 0}}, 60 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gaugeDouble{}
			l := newDependency("no answer", misses*15*time.Second, func() prometheus.Gauge { g.made = true; return g })
			answered := false
			for _, c := range tc.calls {
				var err error
				if c.fail {
					err = errors.New("refused")
				} else {
					answered = true
				}
				l.tried(start.Add(c.at), start.Add(c.at+c.took), err)
			}
			err := l.down(start.Add(tc.now))
			if tc.down {
				require.EqualError(t, err, "no answer since 2026-11-25T12:00:00Z: refused")
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, answered, g.set)
			require.Equal(t, len(tc.calls) > 0, g.made)
		})
	}
}
