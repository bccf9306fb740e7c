package flight_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// TestClientRaisesThePriority has clients wait for a copy that only a list requested. The first of
// them requests it at its own priority.
func TestClientRaisesThePriority(t *testing.T) {
	for name, low := range map[string]bool{"of a list's copy": true, "not of a client's copy": false} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			want := []queue.Request(nil)
			if low {
				_, err := f.Warm(t.Context(), f.target, nil)
				require.NoError(t, err)
				require.True(t, f.entry(t, f.target).Low)
				want = []queue.Request{put(queue.Low), put("")}
			} else {
				_, _, err := f.cache.Acquire(t.Context(), f.target.Key, cachetest.Rules().Pending(time.Now(), "another", 0, -1))
				require.NoError(t, err)
			}
			for range 2 {
				out := f.Await(t.Context(), f.target, "", flight.Wait{Until: time.Now()})
				require.True(t, out.TimedOut)
			}
			require.Equal(t, want, f.queue.requests())
			entry := f.entry(t, f.target)
			require.Equal(t, cache.Pending, entry.State)
			require.False(t, entry.Low)
		})
	}
}

// TestPriorityThatCouldNotBeRaised leaves it to the next client.
func TestPriorityThatCouldNotBeRaised(t *testing.T) {
	f := newFixture(t)
	_, err := f.Warm(t.Context(), f.target, nil)
	require.NoError(t, err)
	f.queue.fail(errors.New("down"))
	require.True(t, f.Await(t.Context(), f.target, "", flight.Wait{Until: time.Now()}).TimedOut)
	require.True(t, f.entry(t, f.target).Low)
	f.queue.fail(nil)
	require.True(t, f.Await(t.Context(), f.target, "", flight.Wait{Until: time.Now()}).TimedOut)
	require.False(t, f.entry(t, f.target).Low)
	require.Equal(t, []queue.Request{put(queue.Low), put("")}, f.queue.requests())
}
