package flight

import (
	"context"
	"sync/atomic"
	"time"

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
)

// maintenance has workers audit and refresh the copies that clients use.
type maintenance struct {
	chores[task]
	every    int64 // One of this many hits of an upstream is audited; 0 is none.
	refresh  bool
	auditors map[string]*auditor // By upstream; never changed
}

// auditor chooses the hits of one upstream that are audited.
type auditor struct {
	hits atomic.Int64
	due  atomic.Int64 // See chores.offer.
}

// task is a message to be sent for the target of a lead.
type task struct {
	lead   Lead
	action queue.Action
}

func (g *Group) startMaintenance(o Options) {
	t := &maintenance{
		chores: newChores[task](g.now()), every: int64(o.AuditEvery), refresh: o.Refresh, auditors: map[string]*auditor{},
	}
	if t.every > 0 {
		for _, name := range o.Upstreams {
			t.auditors[name] = &auditor{}
		}
	}
	t.start(g, func(ctx context.Context, next task) { g.maintain(ctx, t, next) })
	g.maintenance = t
}

// served offers the audit and the refresh of a copy that a client is redirected to.
func (t *maintenance) served(lead Lead, e cache.Entry, now time.Time) {
	kind, due := lead.Chores()
	if a := t.auditors[kind.Upstream]; a != nil && a.hits.Add(1)%t.every == 0 {
		t.offer(&a.due, now, auditEvery, task{lead, queue.Audit})
	}
	if t.refresh && lastQuarter(kind.Pool.Lifespan, e, now) {
		t.offer(&due.refresh, now, refreshClaim(kind.Pool.Lifespan), task{lead, queue.Refresh})
	}
}

// lastQuarter reports whether the bucket deletes the copy within a quarter of the pool's lifespan.
func lastQuarter(lifespan time.Duration, e cache.Entry, now time.Time) bool {
	return !e.Expires.IsZero() && e.Expires.Sub(now) < lifespan/4
}

// refreshClaim returns the least time between two tries to refresh an object.
func refreshClaim(lifespan time.Duration) time.Duration {
	return max(min(lifespan/4/refreshTries, maxRefreshClaim), time.Millisecond)
}

// maintain sends the message of a task, if this front end gets the claim. A message that could not
// be sent is sent for a hit after the claim. While redis is down, or workers are far behind,
// maintain does nothing.
func (g *Group) maintain(ctx context.Context, t *maintenance, next task) {
	target, err := next.lead.Target()
	if err != nil {
		return
	}
	pool := target.Pool.ID()
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
			_, due := next.lead.Chores()
			t.postpone(&due.refresh, g.now(), left)
		}
		return
	}
	err = g.queue.Send(ctx, queue.Request{Pool: pool, URL: target.Object.URL, Action: next.action})
	if err != nil {
		g.about(ctx, target, g.log.Warn()).Err(err).Str("action", string(next.action)).Msg("copy not maintained: request not sent")
	}
}
