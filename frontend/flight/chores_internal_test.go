package flight

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestChoreOfAFullQueueStaysDue has no worker take from the queue. The control is a chore that
// found room: it is not queued again before it is due.
func TestChoreOfAFullQueueStaysDue(t *testing.T) {
	now := time.Now()
	c := newChores[int](now)
	var first, late atomic.Int64
	c.offer(&first, now, time.Hour, 0)
	c.offer(&first, now.Add(time.Hour-1), time.Hour, 0)
	require.Len(t, c.queue, 1, "control")
	for i := range choreQueue - 1 {
		c.offer(&atomic.Int64{}, now, time.Hour, i)
	}
	c.offer(&late, now, time.Hour, -1)
	require.Len(t, c.queue, choreQueue)
	<-c.queue
	c.offer(&first, now.Add(time.Hour-1), time.Hour, 0)
	require.Len(t, c.queue, choreQueue-1, "control")
	c.offer(&late, now, time.Hour, -1)
	require.Len(t, c.queue, choreQueue)
	<-c.queue
	c.offer(&first, now.Add(time.Hour), time.Hour, 0)
	require.Len(t, c.queue, choreQueue)
}
