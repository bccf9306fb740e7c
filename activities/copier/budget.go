package copier

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// ErrTurn reports a copy that waited in vain for memory, disk or a slot, or had to give one back.
// The copy itself did not fail: another attempt waits again.
var ErrTurn = errors.New("the copy waits for its turn")

const (
	// patience is how long a copy waits for its turn before it lets its worker run another copy.
	patience = 2 * time.Second
	// takeBackAfter is how long a copy of a host within its share waits before the budget takes
	// back what other hosts hold beyond their shares. Copies from fast sources end in less time.
	takeBackAfter = 250 * time.Millisecond
	// noLoansFor is how long no host gets more than its share after that. Otherwise a slow source
	// would borrow again at once, and every copy of another source would have to wait.
	noLoansFor = 5 * time.Second
	// A brief claim fails at once if maxCongestion claims of its host wait, or as many as a share, and
	// the first of them has waited for congestedAfter. This bounds the part of a worker's tasks that
	// copies from one slow source take.
	maxCongestion  = 16
	congestedAfter = time.Second
)

// Budget is a limit that source hosts share, such as the slots of a pool or the bytes of a memory.
//
//   - A host borrows beyond its share only while no copy of a host within its share waits.
//   - Once such a copy has waited for 250 ms, loans are taken back, and for 5 s none is given.
//   - The youngest copy of the host that holds most gives back first. Copies that would restart, such
//     as streams, give back only if no host has other loans.
//   - A host with one hold keeps it, even if it is larger than the share. Otherwise hosts would
//     take each other's only part before it is stored. [Copier.StallTimeout] bounds such a hold: it
//     ends the part of a source below [Copier.MinRate].
//
// So one host alone has the whole budget. Copies of one host are served in their order. Nil is a
// budget without a limit.
type Budget struct {
	total, share int64

	mu      sync.Mutex
	free    int64
	noLoans time.Time // Until then
	hosts   map[string]*guest
	waiting []*waiter // In the order of their arrival
}

// guest is a host that holds a part of a budget.
type guest struct {
	used     int64
	recalled int64 // The part of used that its copies were told to give back
	holds    []*Hold
}

// Claim is a copy's request for a part of a budget.
type Claim struct {
	Host string
	// Since is the start of the copy.
	Since time.Time
	// Cancel ends the copy with [ErrTurn] as its cause, if it has to give its holds back.
	Cancel context.CancelCauseFunc
	// Restarts, if set, reports whether the copy would have to fetch a large object again. It is called
	// with the budget locked.
	Restarts func() bool
	// Brief is set if the copy waits for 2 s only, and then fails with [ErrTurn].
	Brief bool
}

// Hold is a part of a budget that a copy holds.
type Hold struct {
	budget   *Budget
	claim    Claim
	n        int64
	recalled bool
	released bool
}

func (c Claim) restarts() bool { return c.Restarts != nil && c.Restarts() }

// waiter is a claim in the queue.
type waiter struct {
	claim   Claim
	n       int64
	arrived time.Time
	hold    *Hold         // Set before admitted is closed
	entered chan struct{} // Closed when the budget has admitted the claim
}

// NewBudget returns a budget of which a host's share is the given part, from 0 to 1. The share is
// at least 1.
func NewBudget(total int64, share float64) *Budget {
	return &Budget{
		total: total, free: total, share: max(1, int64(math.Floor(float64(total)*share))), hosts: map[string]*guest{},
	}
}

// Take waits for n of the budget. A claim of 0 waits only behind the copies of its host that wait
// already. Take fails with the context's cause, or with [ErrTurn] if the claim is brief. A brief
// claim fails at once if many copies of its host wait, and the first of them has waited for a
// second: they would only keep copies of other hosts out of the worker.
func (b *Budget) Take(ctx context.Context, c Claim, n int64) (*Hold, error) {
	if b == nil {
		return nil, nil //nolint:nilnil // Without a limit there is nothing to hold
	}
	if n > b.total {
		return nil, fmt.Errorf("%d is more than the whole budget, %d", n, b.total)
	}
	w := &waiter{claim: c, n: n, arrived: time.Now(), entered: make(chan struct{})}
	b.mu.Lock()
	if c.Brief && b.congested(c.Host, w.arrived) {
		b.mu.Unlock()
		return nil, fmt.Errorf("%w: many copies from %s wait already", ErrTurn, c.Host)
	}
	b.waiting = append(b.waiting, w)
	b.admit()
	b.mu.Unlock()
	select {
	case <-w.entered:
		return w.hold, nil
	default:
	}
	err := b.wait(ctx, w)
	return w.hold, err
}

// TryTake is Take without a wait. It returns false if Take would wait.
func (b *Budget) TryTake(c Claim, n int64) (*Hold, bool) {
	if b == nil {
		return nil, true
	}
	w := &waiter{claim: c, n: n, arrived: time.Now(), entered: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, w)
	b.admit()
	select {
	case <-w.entered:
		return w.hold, true
	default:
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(other *waiter) bool { return other == w })
	return nil, false
}

// wait waits until the claim is admitted. It sets w.hold, or fails.
func (b *Budget) wait(ctx context.Context, w *waiter) error {
	var over <-chan time.Time
	if w.claim.Brief {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		over = timer.C
	}
	tick := time.NewTicker(takeBackAfter)
	defer tick.Stop()
	for {
		select {
		case <-w.entered:
			return nil
		case <-tick.C:
			b.takeBack(w)
		case <-over:
			if b.leave(w) {
				return fmt.Errorf("%w: it waited for %s", ErrTurn, patience)
			}
		case <-ctx.Done():
			if b.leave(w) {
				return context.Cause(ctx)
			}
		}
	}
}

// leave removes a claim from the queue. It returns false if the claim was admitted meanwhile.
func (b *Budget) leave(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	b.admit() // The claim may have kept others waiting
	return true
}

// congested reports whether a further brief claim of a host would wait in vain. b.mu is held.
func (b *Budget) congested(host string, now time.Time) bool {
	var first time.Time
	n := int64(0)
	for _, w := range b.waiting {
		if w.claim.Host != host {
			continue
		}
		if n++; n == 1 {
			first = w.arrived
		}
	}
	return n > 0 && n >= min(b.share, maxCongestion) && now.Sub(first) >= congestedAfter
}

// admit grants claims while it can. b.mu is held.
func (b *Budget) admit() {
	for {
		i := b.next()
		if i < 0 || b.waiting[i].n > b.free {
			return
		}
		w := b.waiting[i]
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.grant(w)
	}
}

func (b *Budget) grant(w *waiter) {
	defer close(w.entered)
	if w.n == 0 {
		return
	}
	g := b.hosts[w.claim.Host]
	if g == nil {
		g = &guest{}
		b.hosts[w.claim.Host] = g
	}
	w.hold = &Hold{budget: b, claim: w.claim, n: w.n}
	b.free -= w.n
	g.used += w.n
	g.holds = append(g.holds, w.hold)
}

// next returns the claim that is served next, or -1. That is the first claim of a host within its
// share and, if there is none, the claim of the host that holds least, unless there are no loans.
// Only the first claim of each host counts. A claim of 0 needs nothing, so it is served at once.
// b.mu is held.
func (b *Budget) next() int {
	within, beyond, least := -1, -1, int64(0)
	seen := map[string]bool{}
	for i, w := range b.waiting {
		if seen[w.claim.Host] {
			continue
		}
		seen[w.claim.Host] = true
		used := b.used(w.claim.Host)
		switch {
		case w.n == 0:
			return i
		case b.fits(used, w.n):
			if within < 0 {
				within = i
			}
		case beyond < 0 || used < least:
			beyond, least = i, used
		}
	}
	if within >= 0 || time.Now().Before(b.noLoans) {
		return within
	}
	return beyond
}

func (b *Budget) used(host string) int64 {
	if g := b.hosts[host]; g != nil {
		return g.used
	}
	return 0
}

// fits reports whether a host that uses a part of the budget stays within its share with n more. A
// host that uses nothing does, even if n is larger than a share.
func (b *Budget) fits(used, n int64) bool { return used == 0 || used+n <= b.share }

// takeBack tells the youngest copies of hosts beyond their shares to give back as much as w and the
// claims before it need, unless w's host would be beyond its share itself.
func (b *Budget) takeBack(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.admit() // Loans may be given again
	need := b.needed(w) - b.free
	for _, g := range b.hosts {
		need -= g.recalled
	}
	for need > 0 {
		h := b.youngestBeyond()
		if h == nil {
			return
		}
		h.recalled, b.noLoans = true, time.Now().Add(noLoansFor)
		b.hosts[h.claim.Host].recalled += h.n
		need -= h.n
		h.claim.Cancel(fmt.Errorf("%w: another source needs what this copy holds", ErrTurn))
	}
}

// needed returns the sum of w and the claims before it that are within the shares of their hosts, or
// 0 if w is not. b.mu is held.
func (b *Budget) needed(w *waiter) (sum int64) {
	claimed := map[string]int64{}
	for _, earlier := range b.waiting {
		host := earlier.claim.Host
		within := b.fits(b.used(host)+claimed[host], earlier.n)
		if within {
			claimed[host] += earlier.n
			sum += earlier.n
		}
		if earlier == w && within {
			return sum
		}
	}
	return 0
}

// youngestBeyond returns the youngest copy's hold of the host that is furthest beyond its share, or
// nil. A host with one hold keeps it. Copies that would restart come last. b.mu is held.
func (b *Budget) youngestBeyond() *Hold {
	for _, restarts := range []bool{false, true} {
		var most int64
		var youngest *Hold
		for _, g := range b.hosts {
			if beyond := g.used - g.recalled - b.share; beyond > most && g.kept() > 1 {
				if h := g.youngest(restarts); h != nil {
					most, youngest = beyond, h
				}
			}
		}
		if youngest != nil {
			return youngest
		}
	}
	return nil
}

// kept counts the holds that no copy was told to give back.
func (g *guest) kept() (n int) {
	for _, h := range g.holds {
		if !h.recalled {
			n++
		}
	}
	return n
}

func (g *guest) youngest(restarts bool) (youngest *Hold) {
	for _, h := range g.holds {
		if h.recalled || h.claim.Cancel == nil || restarts != h.claim.restarts() {
			continue
		}
		if youngest == nil || !h.claim.Since.Before(youngest.claim.Since) {
			youngest = h
		}
	}
	return youngest
}

// Release gives the hold back. Only the first call counts.
func (h *Hold) Release() {
	if h == nil {
		return
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.released {
		return
	}
	h.released = true
	g := b.hosts[h.claim.Host]
	g.used -= h.n
	if h.recalled {
		g.recalled -= h.n
	}
	g.holds = slices.DeleteFunc(g.holds, func(other *Hold) bool { return other == h })
	if len(g.holds) == 0 {
		delete(b.hosts, h.claim.Host)
	}
	b.free += h.n
	b.admit()
}

// keepsOut reports whether a claim of another host has waited for 250 ms.
func (b *Budget) keepsOut(host string) bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.waiting, func(w *waiter) bool {
		return w.claim.Host != host && w.n > 0 && time.Since(w.arrived) >= takeBackAfter
	})
}

// Total returns the limit, or 0 if there is none.
func (b *Budget) Total() int64 {
	if b == nil {
		return 0
	}
	return b.total
}

// Use returns how much of the budget is held, and how many claims wait.
func (b *Budget) Use() (held, waiting int64) {
	if b == nil {
		return 0, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total - b.free, int64(len(b.waiting))
}
