package origin

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const host = "h.example"

// caller is a request that waits for a slot, has one, or was cancelled.
type caller struct {
	slot   *slot
	err    error
	done   bool // acquire has returned
	cancel context.CancelFunc
}

// call acquires a slot in a goroutine of a synctest bubble. It returns when the goroutine is done or
// waits.
func call(t *testing.T, c *conns, host string, b budget) *caller {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &caller{cancel: cancel}
	go func() {
		r.slot, r.err = c.acquire(ctx, host, b)
		r.done = true
	}()
	synctest.Wait()
	return r
}

// calls makes n calls for bulk slots of host, one after the other.
func calls(t *testing.T, c *conns, n int) []*caller {
	t.Helper()
	all := make([]*caller, n)
	for i := range all {
		all[i] = call(t, c, host, bulk)
	}
	return all
}

// admitted returns which of the callers have a slot.
func admitted(all []*caller) []int {
	synctest.Wait()
	in := []int{}
	for i, r := range all {
		if r.done && r.err == nil {
			in = append(in, i)
		}
	}
	return in
}

func release(all []*caller) {
	synctest.Wait()
	for _, r := range all {
		r.slot.release()
	}
	synctest.Wait()
}

// lower has a wave of n requests in flight, all of which the host refuses.
func lower(t *testing.T, c *conns, n int) {
	t.Helper()
	wave := calls(t, c, n)
	require.Len(t, admitted(wave), n)
	for _, r := range wave {
		require.Equal(t, n > 1, r.slot.refused())
	}
	release(wave)
}

// limitOf returns how many requests host may have in flight, by trying.
func limitOf(t *testing.T, c *conns) int {
	t.Helper()
	probe := calls(t, c, c.most+1)
	in := admitted(probe)
	for _, r := range probe {
		r.cancel()
	}
	synctest.Wait()
	for _, i := range in {
		probe[i].slot.release()
	}
	return len(in)
}

// inBubble runs f with a clock that moves only while all goroutines wait.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// pass lets time pass on the clock of a bubble.
func pass(d time.Duration) { <-time.After(d) }

// requireIdle checks that no request has a slot or waits for one.
func requireIdle(t *testing.T, c *conns) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, g := range c.gates {
		require.Zero(t, g.inFlight, key)
		require.Empty(t, g.waiting, key)
	}
}

func TestRequestsWaitInTheirOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(2)
		all := calls(t, c, 7)
		require.Equal(t, []int{0, 1}, admitted(all))
		for i := range all {
			all[i].slot.release()
			want := []int{}
			for j := range min(i+3, len(all)) {
				want = append(want, j)
			}
			require.Equal(t, want, admitted(all))
		}
		requireIdle(t, c)
		require.Empty(t, c.gates, "a gate without any use is forgotten")
	})
}

func TestBudgetsAndHostsAreIndependent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(8)
		large := calls(t, c, 10)
		require.Len(t, admitted(large), 8)
		var small []*caller
		for range 8 {
			small = append(small, call(t, c, host, firsts))
		}
		require.Len(t, admitted(small), 8, "first requests do not wait for large objects")
		for _, r := range large[:8] {
			require.True(t, r.slot.refused())
		}
		ninth := call(t, c, host, firsts)
		require.Empty(t, admitted([]*caller{ninth}), "first requests have a limit as well")
		require.Len(t, admitted([]*caller{call(t, c, "other.example", bulk)}), 1)
		small[0].slot.release()
		require.Len(t, admitted([]*caller{ninth}), 1, "refused ranges do not lower the limit of first requests")
	})
}

// TestCongestedHost: while first requests wait in vain, only a few of them wait.
func TestCongestedHost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(8)
		var all []*caller
		for range 8 + 3 {
			all = append(all, call(t, c, host, firsts))
		}
		require.Len(t, admitted(all), 8)
		pass(congestedAfter)
		late := call(t, c, host, firsts)
		require.ErrorIs(t, late.err, errCongested)
		for _, ok := range []*caller{call(t, c, "other.example", firsts), call(t, c, host, bulk)} { // Positive control
			require.NoError(t, ok.err)
			ok.slot.release()
		}
		release(all[:2])
		require.Len(t, admitted(all), 10)
		again := call(t, c, host, firsts) // Fewer than a quarter of the limit wait
		release(all[2:10])
		release(all[10:])
		require.Len(t, admitted([]*caller{again}), 1)
		release([]*caller{again})
		requireIdle(t, c)
	})
}

func TestCancelledWaiterLeavesTheQueue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(1)
		all := calls(t, c, 4)
		all[1].cancel()
		all[2].cancel()
		synctest.Wait()
		for _, r := range all[1:3] {
			require.ErrorIs(t, r.err, context.Canceled)
			require.Nil(t, r.slot)
		}
		require.Equal(t, []int{0}, admitted(all))
		all[0].slot.release()
		require.Equal(t, []int{0, 3}, admitted(all))
		all[3].slot.release()
		require.Empty(t, c.gates)
	})
}

// doneOnAdmission is a context that is cancelled at the moment when its waiter is admitted.
type doneOnAdmission struct {
	context.Context
	admit func()
}

func (d doneOnAdmission) Done() <-chan struct{} {
	d.admit() // acquire calls Done when it starts to wait
	done := make(chan struct{})
	close(done)
	return done
}

func (d doneOnAdmission) Err() error { return context.Canceled }

// TestCancelledAtAdmission: whether the admission or the cancellation wins, no slot is lost.
func TestCancelledAtAdmission(t *testing.T) {
	won := map[bool]int{}
	for range 200 {
		inBubble(t, func(t *testing.T) {
			c := newConns(1)
			first := calls(t, c, 1)[0]
			s, err := c.acquire(doneOnAdmission{t.Context(), first.slot.release}, host, bulk)
			won[err == nil]++
			if err == nil {
				s.release()
			} else {
				require.Equal(t, context.Canceled, err)
				require.Nil(t, s)
			}
			require.Empty(t, c.gates, "the slot is free again")
		})
	}
	require.Positive(t, won[true])
	require.Positive(t, won[false])
}

// TestCancelledAtAdmissionPassesTheSlotOn: the slot of a request that is cancelled at the moment of
// its admission goes to the next request.
func TestCancelledAtAdmissionPassesTheSlotOn(t *testing.T) {
	won := map[bool]int{}
	for range 200 {
		inBubble(t, func(t *testing.T) {
			c := newConns(1)
			first := calls(t, c, 1)[0]
			var next *caller
			s, err := c.acquire(doneOnAdmission{t.Context(), func() {
				next = call(t, c, host, bulk)
				first.slot.release()
			}}, host, bulk)
			won[err == nil]++
			if err == nil {
				require.Empty(t, admitted([]*caller{next}))
				s.release()
			}
			require.Len(t, admitted([]*caller{next}), 1)
			next.slot.release()
			require.Empty(t, c.gates)
		})
	}
	require.Positive(t, won[true])
	require.Positive(t, won[false])
}

func TestOldGatesAreSwept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(2)
		lowered := func(from, to int) {
			for i := from; i < to; i++ {
				name := fmt.Sprint("old", i)
				a, b := call(t, c, name, bulk), call(t, c, name, bulk)
				require.True(t, a.slot.refused())
				release([]*caller{a, b})
			}
		}
		lowered(0, sweepAbove-2)
		busy := call(t, c, "busy", bulk)
		pass(forgetAfter + time.Second)
		require.Len(t, c.gates, sweepAbove-1)
		lowered(sweepAbove, sweepAbove+1)
		require.Len(t, c.gates, sweepAbove, "few gates are not swept")
		lowered(sweepAbove+1, sweepAbove+2)
		require.Len(t, c.gates, 3, "the busy one, the recent one and the new one")
		require.NotNil(t, c.gates[gateKey{"busy", bulk}])
		require.Equal(t, 1, c.gates[gateKey{fmt.Sprint("old", sweepAbove), bulk}].limit)
		busy.slot.release()
	})
}

func TestRecentGatesAreKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(2)
		for i := range sweepAbove + 10 {
			a, b := call(t, c, fmt.Sprint(i), bulk), call(t, c, fmt.Sprint(i), bulk)
			require.True(t, a.slot.refused())
			release([]*caller{a, b})
		}
		require.Len(t, c.gates, sweepAbove+10)
	})
}

func TestBodyReleasesItsSlotOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newConns(1)
		all := calls(t, c, 3)
		body := slotBody{ReadCloser: io.NopCloser(strings.NewReader("")), slot: all[0].slot}
		for range 3 {
			require.NoError(t, body.Close())
		}
		require.Equal(t, []int{0, 1}, admitted(all))
		all[1].slot.release()
		all[1].slot.release()
		all[0].slot.release()
		require.Equal(t, []int{0, 1, 2}, admitted(all))
		require.Equal(t, 1, c.gates[gateKey{host, bulk}].inFlight)
		all[2].slot.release()
		require.Empty(t, c.gates)
		(*slot)(nil).release()
	})
}
