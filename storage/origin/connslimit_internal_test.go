package origin

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name  string
		run   func(t *testing.T, c *conns) // with a limit of 8
		limit int                          // afterwards
	}{
		{"a lonely request", func(t *testing.T, c *conns) {
			lower(t, c, 1)
		}, 8},
		{"a lonely request, again and again", func(t *testing.T, c *conns) {
			for range 5 {
				lower(t, c, 1)
			}
		}, 8},
		{"a request beside first requests", func(t *testing.T, c *conns) {
			first := call(t, c, host, firsts)
			lower(t, c, 1)
			first.slot.release()
		}, 8},
		{"a request beside those to another host", func(t *testing.T, c *conns) {
			other := call(t, c, "other.example", bulk)
			lower(t, c, 1)
			other.slot.release()
		}, 8},
		{"after others have ended", func(t *testing.T, c *conns) {
			release(calls(t, c, 8))
			lower(t, c, 1)
		}, 8},
		{"a request beside another", func(t *testing.T, c *conns) {
			pair := calls(t, c, 2)
			require.True(t, pair[1].slot.refused())
			release(pair)
		}, 1},
		{"another was in flight at the start", func(t *testing.T, c *conns) {
			pair := calls(t, c, 2)
			pair[0].slot.release()
			require.True(t, pair[1].slot.refused())
			release(pair)
		}, 1},
		{"another started and ended meanwhile", func(t *testing.T, c *conns) {
			pair := calls(t, c, 2)
			pair[1].slot.release()
			require.True(t, pair[0].slot.refused())
			release(pair)
		}, 1},
		{"a full wave", func(t *testing.T, c *conns) {
			lower(t, c, 8)
		}, 4},
		{"a part of a wave", func(t *testing.T, c *conns) {
			wave := calls(t, c, 8)
			require.True(t, wave[3].slot.refused())
			require.True(t, wave[7].slot.refused())
			release(wave)
		}, 4},
		{"the last of a wave, after the others", func(t *testing.T, c *conns) {
			wave := calls(t, c, 8)
			release(wave[:7])
			require.True(t, wave[7].slot.refused(), "eight were in flight when it started")
			release(wave[7:])
		}, 4},
		{"two of a wave are left", func(t *testing.T, c *conns) {
			wave := calls(t, c, 8)
			release(wave[2:])
			late := calls(t, c, 1)
			require.True(t, wave[0].slot.refused(), "it started alone")
			require.True(t, late[0].slot.refused(), "of the same round")
			release(append(late, wave[:2]...))
		}, 1},
		{"a wave below the limit", func(t *testing.T, c *conns) {
			lower(t, c, 6)
		}, 3},
		{"a wave of an odd number", func(t *testing.T, c *conns) {
			lower(t, c, 7)
		}, 3},
		{"two waves", func(t *testing.T, c *conns) {
			lower(t, c, 8)
			lower(t, c, 4)
		}, 2},
		{"waves until the last request", func(t *testing.T, c *conns) {
			lower(t, c, 8)
			lower(t, c, 4)
			lower(t, c, 2)
			lower(t, c, 1)
			lower(t, c, 1)
		}, 1},
		{"a wave that ends in the next one", func(t *testing.T, c *conns) {
			wave := calls(t, c, 8)
			require.True(t, wave[0].slot.refused()) // Lowers the limit to 4
			release(wave[:5])
			next := calls(t, c, 1)
			require.Len(t, admitted(next), 1)
			require.True(t, wave[7].slot.refused(), "of the old wave")
			release(wave[5:])
			require.Equal(t, 4, c.gates[gateKey{host, bulk}].limit)
			require.True(t, next[0].slot.refused(), "of the new wave, which started beside three of the old one")
			release(next)
		}, 2},
		{"requests that waited are of the next wave", func(t *testing.T, c *conns) {
			wave := calls(t, c, 12)
			for _, r := range wave[:8] {
				require.True(t, r.slot.refused())
			}
			release(wave[:8])
			require.Len(t, admitted(wave[8:]), 4)
			for _, r := range wave[8:] {
				require.True(t, r.slot.refused())
			}
			release(wave[8:])
		}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c := newConns(8)
				tt.run(t, c)
				requireIdle(t, c)
				assert.Equal(t, tt.limit, limitOf(t, c))
			})
		})
	}
}

// serve has host serve n ranges, one after the other.
func serve(t *testing.T, s *slot, n int) {
	t.Helper()
	for range n {
		s.served()
	}
	synctest.Wait()
}

func TestLimitGrowsWhileRequestsWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(4)
		lower(t, c, 4)
		lower(t, c, 2)
		all := calls(t, c, 1)
		serve(t, all[0].slot, 100)
		require.Equal(t, 1, c.gates[gateKey{host, bulk}].limit, "no request waits")

		all[0].slot.refused() // The count restarts
		all = append(all, calls(t, c, 5)...)
		limit := 1
		for ; limit < 4; limit++ {
			serve(t, all[0].slot, growAfter*limit-1)
			require.Len(t, admitted(all), limit, "one range too few")
			serve(t, all[0].slot, 1)
			require.Len(t, admitted(all), limit+1)
		}
		serve(t, all[0].slot, 1000)
		require.Len(t, admitted(all), 4, "the configured limit")
		require.Equal(t, 16, growAfter)
		release(all[:4])
		release(all[4:])
		requireIdle(t, c)
	})
}

func TestRefusalRestartsTheGrowth(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(2)
		lower(t, c, 2)
		all := calls(t, c, 2)
		serve(t, all[0].slot, growAfter-1)
		require.False(t, all[0].slot.refused())
		serve(t, all[0].slot, growAfter-1)
		require.Len(t, admitted(all), 1)
		serve(t, all[0].slot, 1)
		require.Len(t, admitted(all), 2)
	})
}

func TestLoweredLimitIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(8)
		lower(t, c, 8)
		pass(forgetAfter)
		require.Equal(t, 4, limitOf(t, c))
		lower(t, c, 1) // Restarts the time
		pass(forgetAfter)
		require.Equal(t, 4, limitOf(t, c))
		pass(time.Second)
		require.Equal(t, 8, limitOf(t, c))
		require.Equal(t, 10*time.Minute, forgetAfter)
		require.Empty(t, c.gates)
	})
}

// TestForgettingAdmitsTheQueue: requests that wait enter as soon as the limit is forgotten, before
// the request that notices it.
func TestForgettingAdmitsTheQueue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(4)
		lower(t, c, 4)
		lower(t, c, 2)
		all := calls(t, c, 4)
		require.Equal(t, []int{0}, admitted(all))
		pass(forgetAfter + time.Second)
		all = append(all, calls(t, c, 1)...)
		require.Equal(t, []int{0, 1, 2, 3}, admitted(all))
		all[2].slot.release()
		require.Equal(t, []int{0, 1, 2, 3, 4}, admitted(all))
	})
}
