package queue_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

func TestDepths(t *testing.T) {
	f := newFixture(t)
	_, _, err := f.Depths(t.Context())
	require.ErrorContains(t, err, f.name)
	f.setUp(t)
	f.bury(t, 2, "junk")
	f.sendMany(t, "example.com", 5)
	taken, err := f.TakeDead(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, taken, 1)
	requests, dead, err := f.Depths(t.Context())
	require.NoError(t, err)
	// The receiver that buried the letters may have asked SQS for one more message.
	require.EqualValues(t, 5, requests.Visible+requests.Hidden)
	require.GreaterOrEqual(t, requests.Visible, int64(4))
	require.Equal(t, queue.Depth{Visible: 2, Hidden: 1}, dead)
}
