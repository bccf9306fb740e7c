package flight

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// A verifier holds the leads to the targets of one pool whose copies are due for verification.
type verifier struct {
	chores[Lead]
	every, ttl time.Duration
}

func (g *Group) startVerifiers(every time.Duration) {
	for _, p := range g.pools {
		v := &verifier{chores: newChores[Lead](g.now()), every: every, ttl: g.rules.TTL}
		v.start(g, func(ctx context.Context, lead Lead) { g.verify(ctx, v, lead) })
		p.verifier = v
	}
}

// fresh reports whether e was written less than every ago, when its writer knew that the copy
// existed. An entry that is bound by the copy's expiry looks older than it is, which costs one
// HEAD. A deadline far beyond ttl comes from other settings: the age is unknown.
func (v *verifier) fresh(e cache.Entry, now time.Time) bool {
	age := v.ttl - e.Deadline.Sub(now)
	return age.Abs() < v.every
}

// verify HEADs the bucket for the copy of a present entry, unless a front end has done so within
// every. While redis is down it does nothing.
func (g *Group) verify(ctx context.Context, v *verifier, lead Lead) {
	t, err := lead.Target()
	if err != nil {
		return
	}
	left, err := g.cache.Claim(ctx, t.Key, v.every)
	if err != nil {
		return
	}
	if left > 0 { // Another front end has the claim.
		_, due := lead.Chores()
		v.postpone(&due.verification, g.now(), left)
		return
	}
	// Read before the HEAD, so that an entry that changes meanwhile is left alone.
	before, err := g.cache.Read(ctx, t.Key)
	if err != nil || before.State != cache.Present || v.pace.Wait(ctx) != nil {
		return
	}
	stored, err := t.Pool.Bucket.Head(ctx, t.Object.Key())
	switch {
	case errors.Is(err, storage.ErrNotFound):
		if g.drop(ctx, t, before, "copy is missing in the bucket; entry removed") {
			g.metrics.missing.WithLabelValues(t.Pool.ID()).Inc()
		}
	case err != nil:
		g.about(ctx, t, g.log.Warn()).Err(err).Msg("copy not verified: bucket HEAD failed")
	case expiresBefore(stored, before):
		g.shorten(ctx, t, before, stored)
	}
}

// expiresBefore reports whether the bucket deletes the copy before the entry's expiry, in the whole
// seconds of entries.
func expiresBefore(stored storage.Stored, e cache.Entry) bool {
	return !stored.Expires.IsZero() && (e.Expires.IsZero() || stored.Expires.Unix() < e.Expires.Unix())
}

// shorten replaces the entry of a copy that the bucket deletes earlier than the entry says. Put
// rejects a copy that was started before a purge.
func (g *Group) shorten(ctx context.Context, t *Target, before cache.Entry, stored storage.Stored) {
	entry := g.rules.Present(g.now(), cache.Copy{Expires: stored.Expires, SHA256: cmp.Or(stored.SHA256, before.SHA256), Size: stored.Size})
	if entry.State != cache.Present {
		g.drop(ctx, t, before, "copy is about to expire; entry removed")
		return
	}
	if err := g.cache.Put(ctx, t.Key, stored.Generation, entry); err != nil && !errors.Is(err, cache.ErrPurged) {
		g.about(ctx, t, g.log.Warn()).Err(err).Msg("entry not shortened")
	}
}

// drop removes the entry unless it has changed since it was read before the HEAD, and returns
// whether it did. Then the next client requests the copy. A new copy's entry can be equal if the
// bucket rounds expiries to days. Removing it costs one HEAD, which restores it.
func (g *Group) drop(ctx context.Context, t *Target, before cache.Entry, msg string) bool {
	dropped, err := g.cache.Drop(ctx, t.Key, before)
	if err != nil {
		g.about(ctx, t, g.log.Warn()).Err(err).Msg("entry of an unusable copy not removed")
	}
	if dropped {
		g.about(ctx, t, g.log.Warn()).Msg(msg)
	}
	return dropped
}
