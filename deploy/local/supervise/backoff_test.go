package supervise

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name   string
		uptime []time.Duration
		want   []time.Duration
	}{
		{
			"doubles up to 5 s", make([]time.Duration, 8),
			[]time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms},
		},
		{
			"a long uptime resets the pause", []time.Duration{0, 0, 10 * time.Second, 0},
			[]time.Duration{100 * ms, 200 * ms, 100 * ms, 200 * ms},
		},
		{
			"an uptime just too short does not", []time.Duration{0, 10*time.Second - 1},
			[]time.Duration{100 * ms, 200 * ms},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b backoff
			for i, uptime := range tt.uptime {
				if got := b.next(uptime); got != tt.want[i] {
					t.Errorf("pause %d is %v, want %v", i+1, got, tt.want[i])
				}
			}
		})
	}
}
