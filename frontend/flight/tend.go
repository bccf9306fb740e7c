package flight

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

const (
	// auditClaim is the least time between two audits of one object, by all front ends together.
	auditClaim = time.Hour
	// auditEvery is the least time between two audits of one upstream, in a process.
	auditEvery = time.Second
	// maxRefreshClaim bounds the time between two tries to refresh one object. Shorter lifespans
	// have refreshTries tries in the last quarter.
	maxRefreshClaim = time.Hour
	refreshTries    = 10
	// tendRate limits the messages that audit or refresh copies, per second and process.
	tendRate = 20
	// tendWorkers is the number of concurrent claims and sends: enough for tendRate if both
	// together take 100 ms.
	tendWorkers = 2
	// tendQueue is the number of tasks that wait for a worker: 13 s at tendRate.
	tendQueue = 256
)

// tender has workers audit and refresh the copies that clients use. Its tasks wait in a bounded
// queue.
type tender struct {
	every    int64 // One of this many hits of an upstream is audited; 0 is none.
	refresh  bool
	auditors map[string]*auditor // By upstream; never changed
	queue    chan task
	pace     *rate.Limiter
	started  time.Time
}

// auditor chooses the hits of one upstream that are audited.
type auditor struct {
	hits atomic.Int64
	next atomic.Int64 // The earliest time of the next audit, since tender.started
}

// task is a message to be sent for a target.
type task struct {
	target *Target
	action queue.Action
}

func (g *Group) startTender(o Options) {
	t := &tender{
		every: int64(o.AuditEvery), refresh: o.Refresh, auditors: map[string]*auditor{},
		queue: make(chan task, tendQueue), pace: rate.NewLimiter(tendRate, 1), started: g.now(),
	}
	if t.every > 0 {
		for _, name := range o.Upstreams {
			t.auditors[name] = &auditor{}
		}
	}
	g.tender = t
	for range tendWorkers {
		g.running.Go(func() { g.runTender(t) })
	}
}

// served offers the audit and the refresh of a copy that a client is redirected to.
func (t *tender) served(target *Target, e cache.Entry, now time.Time) {
	if a := t.auditors[target.Upstream]; a != nil && a.hits.Add(1)%t.every == 0 {
		t.offerAudit(a, target, now)
	}
	if t.refresh && lastQuarter(target, e, now) {
		t.offerRefresh(target, now)
	}
}

// lastQuarter reports whether the bucket deletes the copy within a quarter of the pool's lifespan.
func lastQuarter(t *Target, e cache.Entry, now time.Time) bool {
	return !e.Expires.IsZero() && e.Expires.Sub(now) < t.Pool.Lifespan/4
}

// offerAudit queues an audit, unless the upstream had one within auditEvery or the queue is full.
// Then a later hit is audited.
func (t *tender) offerAudit(a *auditor, target *Target, now time.Time) {
	since, next := int64(now.Sub(t.started)), a.next.Load()
	if since < next || !a.next.CompareAndSwap(next, since+int64(auditEvery)) {
		return
	}
	select {
	case t.queue <- task{target, queue.Audit}:
	default:
	}
}

// offerRefresh queues a refresh once it is due, and makes it due again after the claim. If the
// queue is full, it stays due.
func (t *tender) offerRefresh(target *Target, now time.Time) {
	since, due := int64(now.Sub(t.started)), target.refreshDue.Load()
	if since < due || !target.refreshDue.CompareAndSwap(due, since+int64(refreshClaim(target.Pool.Lifespan))) {
		return
	}
	select {
	case t.queue <- task{target, queue.Refresh}:
	default:
		target.refreshDue.Store(due)
	}
}

// refreshClaim returns the least time between two tries to refresh an object.
func refreshClaim(lifespan time.Duration) time.Duration {
	return max(min(lifespan/4/refreshTries, maxRefreshClaim), time.Millisecond)
}

func (g *Group) runTender(t *tender) {
	for !g.Stopping() {
		select {
		case next := <-t.queue:
			g.tend(context.Background(), t, next)
		case <-g.stopping:
		}
	}
}

// tend sends the message of a task, if this front end gets the claim. A message that could not be
// sent is sent for a hit after the claim. While redis is down, or workers are far behind, tend does
// nothing. It ignores Stop: all its calls have timeouts.
func (g *Group) tend(ctx context.Context, t *tender, next task) {
	target, pool := next.target, next.target.Pool.ID()
	if g.admission.gate.pass(pool, forLists) != nil || t.pace.Wait(ctx) != nil {
		return
	}
	claim, d := cache.AuditClaim(target.Key), auditClaim
	if next.action == queue.Refresh {
		claim, d = cache.RefreshClaim(target.Key), refreshClaim(target.Pool.Lifespan)
	}
	left, err := g.cache.Claim(ctx, claim, d)
	if err != nil {
		return
	}
	if left > 0 { // Another front end has the claim.
		if next.action == queue.Refresh {
			target.refreshDue.Store(int64(g.now().Sub(t.started) + left))
		}
		return
	}
	err = g.queue.Send(ctx, queue.Request{Pool: pool, URL: target.Object.URL, Action: next.action})
	if err != nil {
		g.log.Warn().Err(err).Str("pool", pool).Str("action", string(next.action)).Msg("copy not tended: request not sent")
	}
}
