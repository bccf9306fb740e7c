package copier

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// taker is a copy that waits for a part of a budget, holds it, or has failed.
type taker struct {
	hold *Hold
	err  error
	done atomic.Bool        // Set after hold and err
	end  context.CancelFunc // Ends the wait
	// toldToEnd is set if the budget told the copy to end.
	toldToEnd atomic.Bool
}

// takers is a budget and its copies, in a synctest bubble.
type takers struct {
	*Budget
	started time.Time
	n       int
	// restarts is that of the next claims.
	restarts func() bool
}

// take starts a copy of a host. It returns when the copy holds its part, or waits.
func (b *takers) take(t *testing.T, host string, n int64, brief bool) *taker {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	r := &taker{end: end}
	b.n++
	c := Claim{
		Host: host, Since: b.started.Add(time.Duration(b.n)), Brief: brief, Restarts: b.restarts,
		Cancel: func(cause error) { r.toldToEnd.Store(errors.Is(cause, ErrTurn)) },
	}
	go func() {
		r.hold, r.err = b.Take(ctx, c, n)
		r.done.Store(true)
	}()
	synctest.Wait()
	return r
}

func (b *takers) takeAll(t *testing.T, host string, count int) (all []*taker) {
	t.Helper()
	for range count {
		all = append(all, b.take(t, host, 1, false))
	}
	return all
}

// ended reports whether the copy does not wait any more.
func (r *taker) ended() bool {
	synctest.Wait()
	return r.done.Load()
}

func holding(all []*taker) (n int) {
	synctest.Wait()
	for _, r := range all {
		if r.done.Load() && r.err == nil {
			n++
		}
	}
	return n
}

func told(all []*taker) (n int) {
	synctest.Wait()
	for _, r := range all {
		if r.toldToEnd.Load() {
			n++
		}
	}
	return n
}

func releaseAll(all []*taker) {
	for _, r := range all {
		r.end()
	}
	synctest.Wait()
	for _, r := range all {
		if r.ended() {
			r.hold.Release()
			r.hold.Release() // Counts once
		}
	}
	synctest.Wait()
}

// withBudget runs a test with a budget of 8, of which a host's share is 2.
func withBudget(t *testing.T, f func(t *testing.T, b *takers)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &takers{Budget: NewBudget(8, 0.25), started: time.Now()}
		f(t, b)
		held, waiting := b.Use()
		require.Zero(t, held)
		require.Zero(t, waiting)
		require.Empty(t, b.hosts)
	})
}

func TestOneHostHasTheWholeBudget(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		all := b.takeAll(t, "a", 10)
		require.Equal(t, 8, holding(all))
		<-time.After(time.Hour)
		require.Equal(t, 8, holding(all))
		require.Zero(t, told(all), "no other host waits")
		held, waiting := b.Use()
		require.EqualValues(t, 8, held)
		require.EqualValues(t, 2, waiting)
		releaseAll(all)
	})
}

func TestHostBeyondItsShareGivesBack(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		a := b.takeAll(t, "a", 10)
		other := b.takeAll(t, "b", 3)
		<-time.After(takeBackAfter - time.Millisecond)
		require.Zero(t, told(a), "a copy may end by itself")
		<-time.After(time.Millisecond)
		require.Equal(t, 2, told(a), "as many as b may have within its share")
		require.True(t, a[7].toldToEnd.Load(), "the youngest copies")
		require.True(t, a[6].toldToEnd.Load())
		<-time.After(time.Minute)
		require.Equal(t, 2, told(a), "once")
		releaseAll(a[6:8])
		require.Equal(t, 2, holding(other))
		require.Equal(t, 6, holding(a[:6]))

		// Its third copy is beyond the share of b. A host that holds less goes first.
		a[0].hold.Release()
		require.Equal(t, 3, holding(other), "b holds 2, and a holds 5")
		releaseAll(slices.Concat(a[:6], a[8:], other))
	})
}

// TestStreamsGiveBackLast has the youngest copies, and the host that holds most, be streams.
func TestStreamsGiveBackLast(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		parts := b.takeAll(t, "a", 3)
		b.restarts = func() bool { return true }
		streams := slices.Concat(b.takeAll(t, "a", 1), b.takeAll(t, "c", 4))
		b.restarts = nil
		other := b.takeAll(t, "b", 2)
		<-time.After(takeBackAfter)
		require.Equal(t, 2, told(parts), "a has 2 beyond its share")
		require.Zero(t, told(streams))
		releaseAll(parts[1:])
		require.Equal(t, 2, holding(other))
		late := b.takeAll(t, "d", 2)
		<-time.After(takeBackAfter)
		require.Equal(t, 2, told(streams), "nothing else is beyond a share")
		require.True(t, streams[4].toldToEnd.Load())
		releaseAll(slices.Concat(parts[:1], streams, other, late))
	})
}

// TestBudgetKeepsOut: only a copy of another host that waits for something, and for a while, is kept out.
func TestBudgetKeepsOut(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		all := b.takeAll(t, "a", 10)
		all = append(all, b.take(t, "b", 0, false))
		<-time.After(takeBackAfter)
		require.False(t, b.keepsOut("a"), "only its own copies wait")
		require.True(t, b.keepsOut("c"))
		all = append(all, b.take(t, "b", 1, false))
		require.False(t, b.keepsOut("a"), "it has just arrived")
		<-time.After(takeBackAfter)
		require.True(t, b.keepsOut("a"))
		require.False(t, (*Budget)(nil).keepsOut("a"))
		releaseAll(all)
	})
}

// TestNoLoansAfterATakeBack: a host from which a loan was taken back does not borrow again at once.
func TestNoLoansAfterATakeBack(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		a := b.takeAll(t, "a", 10)
		other := b.takeAll(t, "b", 1)
		<-time.After(takeBackAfter)
		require.Equal(t, 1, told(a))
		for _, r := range []*taker{a[7], other[0], a[0]} { // Its copy ends, b's is served and ends, and another one of a ends
			r.ended()
			r.hold.Release()
		}
		synctest.Wait()
		held, waiting := b.Use()
		require.EqualValues(t, 6, held, "nothing is lent")
		require.EqualValues(t, 2, waiting)
		next := b.take(t, "b", 1, false)
		require.True(t, next.ended(), "b need not wait")
		<-time.After(noLoansFor)
		require.Equal(t, 9, holding(a), "one more has been lent to a, with those that ended")
		releaseAll(slices.Concat(a, other, []*taker{next}))
	})
}

// TestHostKeepsItsLastHold has each hold be larger than a share. A host that gave back its only one
// could never end a copy.
func TestHostKeepsItsLastHold(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		held := []*taker{b.take(t, "a", 4, false), b.take(t, "b", 4, false)}
		late := b.take(t, "c", 4, false)
		<-time.After(time.Minute)
		require.Zero(t, told(held))
		again := b.take(t, "a", 4, false)
		held[0].hold.Release()
		require.True(t, late.ended(), "c goes before the next copy of a")
		require.False(t, again.ended())
		releaseAll(slices.Concat(held, []*taker{late, again}))
	})
}

// TestHostGivesBackAllButItsLastHold is the positive control: a host with two such holds gives back
// one.
func TestHostGivesBackAllButItsLastHold(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		held := []*taker{b.take(t, "a", 4, false), b.take(t, "a", 4, false)}
		late := []*taker{b.take(t, "b", 4, false), b.take(t, "c", 4, false)}
		<-time.After(time.Minute)
		require.Equal(t, 1, told(held))
		require.True(t, held[1].toldToEnd.Load(), "the youngest copy")
		releaseAll(slices.Concat(held, late))
	})
}

func TestNoHostFallsBelowItsShare(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		var all []*taker
		for _, host := range []string{"a", "b", "c", "d"} {
			all = append(all, b.takeAll(t, host, 2)...)
		}
		late := b.takeAll(t, "e", 2)
		<-time.After(time.Minute)
		require.Zero(t, told(all), "each has only its share")
		require.Zero(t, holding(late))
		all[3].hold.Release()
		require.Equal(t, 1, holding(late))
		releaseAll(slices.Concat(all, late))
	})
}

func TestHostWithinItsShareGoesFirst(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		a := b.takeAll(t, "a", 20)
		other := b.take(t, "b", 1, false)
		a[0].hold.Release()
		require.Equal(t, 1, holding([]*taker{other}), "b goes before 12 earlier copies of a")
		require.Equal(t, 8, holding(a), "with the one that ended")
		releaseAll(append(a, other))
	})
}

func TestBriefClaim(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		a := b.takeAll(t, "a", 8)
		brief := b.take(t, "a", 1, true)
		<-time.After(patience - time.Millisecond)
		require.False(t, brief.ended())
		<-time.After(time.Millisecond)
		require.True(t, brief.ended())
		require.ErrorIs(t, brief.err, ErrTurn)
		require.Equal(t, 2*time.Second, patience)

		// A host with many copies that wait for long gets no further one.
		waiting := []*taker{b.take(t, "a", 1, true), b.take(t, "a", 1, true)}
		soon := b.take(t, "a", 1, true)
		require.False(t, soon.ended(), "the first has just arrived")
		<-time.After(congestedAfter)
		late := b.take(t, "a", 1, true)
		require.True(t, late.ended())
		require.ErrorIs(t, late.err, ErrTurn)
		other := b.take(t, "b", 1, true)
		require.False(t, other.ended(), "another host waits")
		a[0].hold.Release()
		require.Equal(t, 1, holding([]*taker{other}))
		releaseAll(slices.Concat(a, waiting, []*taker{soon, other}))
	})
}

// TestClaimOfNothing waits only behind the copies of its own host.
func TestClaimOfNothing(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		all := b.takeAll(t, "a", 8)
		require.Equal(t, 1, holding([]*taker{b.take(t, "a", 0, true)}), "no copy of a waits")
		waits := b.take(t, "a", 1, false)
		behind := b.take(t, "a", 0, true)
		require.False(t, behind.ended())
		require.Equal(t, 1, holding([]*taker{b.take(t, "b", 0, true)}), "another host")
		all[0].hold.Release()
		require.Equal(t, 2, holding([]*taker{waits, behind}))
		releaseAll(append(all, waits, behind))
	})
}

func TestCancelledClaimLeavesTheQueue(t *testing.T) {
	withBudget(t, func(t *testing.T, b *takers) {
		small := b.take(t, "a", 1, false)
		large := b.take(t, "b", 8, false)
		behind := b.take(t, "c", 1, false)
		require.False(t, behind.ended(), "the large claim would wait for ever otherwise")
		large.end()
		synctest.Wait()
		require.ErrorIs(t, large.err, context.Canceled)
		require.Equal(t, 1, holding([]*taker{behind}))
		_, err := b.Take(t.Context(), Claim{}, 9)
		require.ErrorContains(t, err, "9 is more than the whole budget, 8")
		releaseAll([]*taker{small, behind})
	})
}

func TestNoBudgetIsNoLimit(t *testing.T) {
	var b *Budget
	hold, err := b.Take(t.Context(), Claim{}, 1<<40)
	require.NoError(t, err)
	hold.Release()
	held, waiting := b.Use()
	require.Zero(t, held+waiting)
}

// TestRandomBudget has copies of several hosts come and go. None starves, and the sum of what they
// hold stays within the budget.
func TestRandomBudget(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		b := NewBudget(64, 0.25)
		var mu sync.Mutex
		held, most, ended := int64(0), int64(0), 0
		var all sync.WaitGroup
		for i := range 200 {
			host, n := fmt.Sprint(random.IntN(5)), int64(random.IntN(16)+1)
			arrives, takes := time.Duration(random.IntN(60))*time.Second, time.Duration(random.IntN(20))*time.Second
			if host == "0" {
				takes = 5 * time.Minute // Unless it is told to end
			}
			all.Go(func() {
				<-time.After(arrives)
				for {
					ctx, cancel := context.WithCancelCause(t.Context())
					hold, err := b.Take(ctx, Claim{Host: host, Since: time.Now(), Cancel: cancel, Brief: i%2 == 0}, n)
					if errors.Is(err, ErrTurn) {
						<-time.After(time.Second)
						continue
					}
					if err != nil {
						panic(err)
					}
					mu.Lock()
					held += n
					most = max(most, held)
					mu.Unlock()
					select {
					case <-time.After(takes):
					case <-ctx.Done():
					}
					mu.Lock()
					held -= n
					ended++
					mu.Unlock()
					hold.Release()
					cancel(nil)
					return
				}
			})
		}
		all.Wait()
		require.Equal(t, 200, ended)
		require.LessOrEqual(t, most, int64(64))
		require.Greater(t, most, int64(48), "the budget is used")
		require.Empty(t, b.hosts)
		require.Empty(t, b.waiting)
	})
}
