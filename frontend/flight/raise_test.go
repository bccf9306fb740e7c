package flight_test

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// TestClientRaisesThePriority has clients wait for a list's copy. The first of them requests it at
// its own priority.
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

// TestPriorityThatCouldNotBeRaised leaves the priority to the next client.
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

// address returns the address of a client.
func address(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }

// lowTarget returns a target after a list has requested its copy.
func (f *fixture) lowTarget(t *testing.T, n int) *flight.Target {
	t.Helper()
	target := flight.NewTarget(f.Pools()[0], source+strconv.Itoa(n))
	_, err := f.Warm(t.Context(), target, nil)
	require.NoError(t, err)
	require.True(t, f.entry(t, target).Low)
	return target
}

// TestRaiseNeedsAToken has one client wait for the copies of a list. It raises a copy for each of
// its tokens, and is not refused for the others. Another client raises one of those.
func TestRaiseNeedsAToken(t *testing.T) {
	const copies, tokens = 10, 3
	for name, burst := range map[string]int{"tokens for some": tokens, "control: tokens for all": copies} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			f := newFixture(t, func(o *flight.Options) {
				o.ColdRate, o.ColdBurst, o.Now = 1, burst, func() time.Time { return now }
			})
			var targets []*flight.Target
			for i := range copies {
				targets = append(targets, f.lowTarget(t, i))
			}
			low := func() (n int) {
				for _, target := range targets {
					if f.entry(t, target).Low {
						n++
					}
				}
				return n
			}
			for _, target := range targets {
				out := f.Await(t.Context(), target, "", flight.Wait{Until: time.Now(), Client: address(1)})
				require.True(t, out.TimedOut)
				require.Nil(t, out.Refused)
			}
			require.Equal(t, copies-burst, low())
			require.Len(t, f.queue.requests(), copies+burst)
			out := f.Await(t.Context(), f.target, "", flight.Wait{Until: time.Now(), Client: address(1)})
			require.NotNil(t, out.Refused, "a raise costs the token of a new copy")
			require.Equal(t, flight.LimitClient, out.Refused.Limit)
			if burst == copies {
				return
			}
			out = f.Await(t.Context(), targets[copies-1], "", flight.Wait{Until: time.Now(), Client: address(2)})
			require.True(t, out.TimedOut)
			require.False(t, f.entry(t, targets[copies-1]).Low, "another client raises it")
		})
	}
}

// TestWaitingClientRaisesOnceItHasAToken has a client wait without a token. It gets a token during
// the wait.
func TestWaitingClientRaisesOnceItHasAToken(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var later atomic.Int64
	f := newFixture(t, func(o *flight.Options) {
		o.ColdRate, o.ColdBurst = 1, 1
		o.Now = func() time.Time { return start.Add(time.Duration(later.Load())) }
	})
	first, second := f.lowTarget(t, 1), f.lowTarget(t, 2)
	require.True(t, f.Await(t.Context(), first, "", flight.Wait{Until: time.Now(), Client: address(1)}).TimedOut)
	require.False(t, f.entry(t, first).Low, "control: it has spent its token")
	f.waitFor(t, second)
	require.True(t, f.entry(t, second).Low)
	later.Store(int64(time.Second))
	require.Eventually(t, func() bool { return !f.entry(t, second).Low }, 20*time.Second, 10*time.Millisecond)
	require.Len(t, f.queue.requests(), 4)
}

// waitFor has a client wait for an object until the test ends, and returns once it does.
func (f *fixture) waitFor(t *testing.T, target *flight.Target) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan flight.Outcome)
	t.Cleanup(func() { leave(); <-gone })
	go func() {
		defer close(gone)
		f.Await(ctx, target, "", flight.Wait{Until: time.Now().Add(time.Minute), Client: address(1)})
	}()
	require.Eventually(t, func() bool { return f.cache.Waiting(target.Key) == 1 }, 5*time.Second, time.Millisecond)
}

// renewals renews a lease before the first Swap, as a worker's heartbeat does.
type renewals struct {
	*cachetest.Memory
	swaps *atomic.Int64
}

func (c renewals) Swap(ctx context.Context, key string, from, to cache.Entry) (bool, error) {
	if c.swaps.Add(1) == 1 {
		renewed := from
		renewed.Deadline = from.Deadline.Add(time.Second)
		if err := c.Put(ctx, key, 0, renewed); err != nil {
			return false, err
		}
	}
	return c.Memory.Swap(ctx, key, from, to)
}

// TestRenewalDelaysNoRaise renews the lease between a flight's read and its swap.
func TestRenewalDelaysNoRaise(t *testing.T) {
	t.Parallel()
	var swaps atomic.Int64
	f := newFixture(t, func(o *flight.Options) { o.Cache = renewals{o.Cache.(*cachetest.Memory), &swaps} })
	target := f.lowTarget(t, 1)
	f.waitFor(t, target)
	require.Eventually(t, func() bool { return !f.entry(t, target).Low }, 20*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return len(f.queue.requests()) == 2 }, 5*time.Second, 10*time.Millisecond)
	require.EqualValues(t, 2, swaps.Load(), "control: the first swap failed")
}
