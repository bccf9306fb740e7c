package copier

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestConnected counts the time in which a copy reads bodies, several at a time.
func TestConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Counters
		pass := func(d time.Duration) { <-time.After(d) }
		requireConnected := func(seconds int, now bool) {
			t.Helper()
			d, reads := c.Connected()
			require.Equal(t, time.Duration(seconds)*time.Second, d)
			require.Equal(t, now, reads)
		}
		pass(time.Hour) // Waits for its turn
		requireConnected(0, false)
		first := c.connect()
		pass(2 * time.Second)
		requireConnected(2, true)
		second := c.connect()
		pass(3 * time.Second)
		first()
		requireConnected(5, true)
		pass(time.Second)
		second()
		requireConnected(6, false)
		pass(time.Hour) // Waits for the bucket
		requireConnected(6, false)
		third := c.connect()
		pass(time.Second)
		third()
		requireConnected(7, false)
	})
}
