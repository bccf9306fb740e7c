package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestHeartbeatPatience shows that a heartbeat outlives an outage of Temporal, and ends before Temporal
// starts another attempt.
func TestHeartbeatPatience(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{
		time.Second:      500 * time.Millisecond,
		6 * time.Second:  4 * time.Second,
		12 * time.Second: 10 * time.Second,
		2 * time.Minute:  10 * time.Second,
		0:                10 * time.Second, // An activity without a heartbeat timeout
	} {
		require.Equal(t, want, workflows.HeartbeatPatience(timeout), timeout)
	}
}
