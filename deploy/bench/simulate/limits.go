package main

import "time"

// outcome is the end of a request.
type outcome int

const (
	copied       outcome = iota // Redirected to the copy
	limitClient                 // Redirected to the source at once, by frontend.cold_rate
	limitBacklog                // The same, by frontend.max_backlog or frontend.max_backlog_age
	limitHost                   // The same, by frontend.cold_rate_per_host
	limitWaiters                // The same, by frontend.max_waiters
	waitOver                    // Redirected to the source after frontend.max_wait
	outcomes     = iota
)

const (
	// published is the time between two backlogs of a bridge. A front end reads one up to a second
	// later, and Temporal's figures are up to 5 s old: lag is the sum of both means.
	published = 3 * time.Second
	lag       = 3 * time.Second
	// reopenAt is the part of a limit below which a closed gate opens, as in flight.Gate.
	reopenAt = 0.8
	// tasksPerSlot is copier.TasksPerSlot. Further copies that wait are a backlog in Temporal.
	tasksPerSlot = 4
)

// limits are those of all front ends together.
type limits struct {
	*engine
	clients, hosts []bucket // nil is no limit
	backlog        func() (copies int, age time.Duration)
	waiters        int // Now
	o              limitOptions
	closed         bool // The gate
}

// limitOptions are settings of one front end, times the number of front ends. Zero is no limit.
type limitOptions struct {
	clientRate, clientBurst, hostRate, hostBurst float64
	waiters, backlog                             int
	backlogAge                                   time.Duration
}

type bucket struct {
	tokens float64
	filled time.Duration
}

func newLimits(e *engine, o limitOptions, backlog func() (int, time.Duration), clients, hosts int) *limits {
	return &limits{
		engine: e, o: o, backlog: backlog,
		clients: newBuckets(o.clientRate, o.clientBurst, clients), hosts: newBuckets(o.hostRate, o.hostBurst, hosts),
	}
}

func newBuckets(rate, burst float64, n int) []bucket {
	if rate == 0 {
		return nil
	}
	all := make([]bucket, n)
	for i := range all {
		all[i].tokens = burst
	}
	return all
}

// refuses returns the limit that a cold request meets, and copied if it meets none.
func (l *limits) refuses(client, host int) outcome {
	switch {
	case l.o.waiters > 0 && l.waiters >= l.o.waiters:
		return limitWaiters
	case l.clients != nil && !l.clients[client].take(l.now, l.o.clientRate, l.o.clientBurst):
		return limitClient
	case l.closed:
		return limitBacklog
	case l.hosts != nil && !l.hosts[host].take(l.now, l.o.hostRate, l.o.hostBurst):
		return limitHost
	default:
		return copied
	}
}

func (b *bucket) take(now time.Duration, rate, burst float64) bool {
	b.tokens, b.filled = min(burst, b.tokens+(now-b.filled).Seconds()*rate), now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// watch closes and opens the gate for as long as the engine runs.
func (l *limits) watch() {
	closes := l.over(1)
	if l.closed {
		closes = l.over(reopenAt)
	}
	l.after(lag, func() { l.closed = closes })
	l.after(published, l.watch)
}

// over reports whether the backlog exceeds a part of its limits.
func (l *limits) over(part float64) bool {
	copies, age := l.backlog()
	return l.o.backlog > 0 && float64(copies) > part*float64(l.o.backlog) ||
		l.o.backlogAge > 0 && float64(age) > part*float64(l.o.backlogAge)
}
