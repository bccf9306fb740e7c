package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"
)

const (
	// maxStale bounds how long a changed entry may still be served from memory: each answered PING
	// makes entries fresh for maxStale, counted from before the PING was sent.
	//
	// The package promises 100 ms. The difference of 20 ms is slack: a front end compares freshness
	// with the time at which a request starts, and its response leaves later.
	maxStale = 80 * time.Millisecond
	// trackInterval is the time between PINGs. Redis's answer follows all invalidations that it
	// sent before.
	trackInterval = 20 * time.Millisecond
	// trackTimeout bounds the wait for an answer, after which the connection is closed. Entries are
	// stale long before that.
	trackTimeout = time.Second
	// trackBackoff is the time until a retry after the connection was lost, refusedBackoff after
	// the server refused to track.
	trackBackoff   = 100 * time.Millisecond
	refusedBackoff = 30 * time.Second
)

var (
	errRefused = errors.New("turn tracking on")
	errDemoted = errors.New("redis is no longer a master")
	errMoved   = errors.New("the sentinels name another master")
)

// tracker follows the changes of one master.
type tracker struct {
	node   *node
	cancel context.CancelFunc

	// up is set while the master sends invalidations. fresh is the time up to which this process
	// knows all changes in the master. NearCache.mu guards both.
	up    bool
	fresh time.Time
}

// Run keeps the near cache coherent until ctx ends. It tracks every master. While one of them sends
// no invalidations, the near cache serves nothing. If a redis does not support tracking, Run retries
// every 30 s. It returns at once if the near cache holds nothing.
func (n *NearCache) Run(ctx context.Context) {
	if n.newTable == nil {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	for ctx.Err() == nil {
		read, interval := n.nodes.all, slotsInterval
		if known, tracked := n.Masters(); known == 0 || tracked < known {
			read, interval = n.nodes.reload, trackBackoff // Another master may have taken over.
		}
		masters, err := read(ctx)
		if err == nil {
			n.trackAll(ctx, &all, masters)
		}
		n.report(err)
		if n.nodes.only != nil {
			<-ctx.Done()
		}
		pause(ctx, interval)
	}
}

// trackAll starts a tracker for each new master, and ends those of masters that are gone.
func (n *NearCache) trackAll(ctx context.Context, all *sync.WaitGroup, masters []*node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.trackers
	n.trackers = map[string]*tracker{}
	changed := false
	for _, master := range masters {
		t := before[master.addr]
		if t == nil || t.node != master {
			changed = true
			t = &tracker{node: master}
			ctx, cancel := context.WithCancel(ctx)
			t.cancel = cancel
			all.Go(func() { n.follow(ctx, t) })
		}
		n.trackers[master.addr] = t
	}
	for addr, t := range before {
		if n.trackers[addr] != t {
			changed = true
			t.cancel()
		}
	}
	if changed {
		n.reset()
	}
}

// follow tracks a master until ctx ends.
func (n *NearCache) follow(ctx context.Context, t *tracker) {
	defer t.cancel()
	for ctx.Err() == nil {
		err := n.track(ctx, t)
		n.set(t, false)
		if ctx.Err() != nil {
			return
		}
		n.report(err)
		switch {
		case errors.Is(err, errRefused):
			pause(ctx, refusedBackoff)
		case !errors.Is(err, errMoved):
			pause(ctx, trackBackoff)
		}
	}
}

// track opens a connection, on which a master sends an invalidation for every change of a key with
// our prefix (broadcast mode,
// https://redis.io/docs/latest/develop/reference/client-side-caching/). It returns when the
// connection fails, when redis is no longer a master, or when ctx ends.
//
// Invalidations and replies share one stream, and a reply is read after the invalidations before
// it. Once redis has answered a PING, this process knows all changes from before the PING was sent.
// The invalidation of a change in the same turn of redis's event loop follows the reply, and that
// change happened after the PING was sent too.
//
// The connection belongs to the client's pool: when the sentinels name another master, the client
// closes it.
func (n *NearCache) track(ctx context.Context, t *tracker) error {
	switched := n.nodes.switches.now()
	client := t.node.client.WithTimeout(trackTimeout)
	if o := client.Options(); o.Protocol == 3 {
		// All connections of a client share a processor, which takes one handler. This copy of the
		// client has one connection.
		o.PushNotificationProcessor = redis.NewPushNotificationProcessor()
	}
	conn := client.EphemeralConn()
	defer conn.Close() //nolint:errcheck // nothing to do about it

	if err := conn.RegisterPushNotificationHandler("invalidate", invalidations{n}, false); err != nil {
		return fmt.Errorf("register for invalidations: %w", err)
	}
	if err := n.ping(ctx, conn); err != nil {
		return fmt.Errorf("connect for invalidations: %w", err)
	}
	// Turn tracking on only now: invalidations without a handler would be lost.
	if err := conn.ClientTrackingOn(ctx, &redis.ClientTrackingOptions{Bcast: true, Prefixes: []string{keyPrefix(n.prefix)}}).Err(); err != nil {
		if Replied(err) {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		return fmt.Errorf("turn tracking on: %w", err)
	}
	for up := false; ; {
		sent := time.Now()
		if err := n.ping(ctx, conn); err != nil {
			return fmt.Errorf("receive invalidations: %w", err)
		}
		if n.nodes.switches.now() != switched {
			return errMoved
		}
		if !up {
			up = true
			n.set(t, true)
			n.report(nil)
		}
		n.answered(t, sent)
		pause(ctx, trackInterval)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// ping waits for an answer of redis. If there may be several masters, it checks that this one still
// is a master: after a failover, the former one keeps its connections.
func (n *NearCache) ping(ctx context.Context, conn *redis.Conn) error {
	if n.nodes.cluster == nil && n.nodes.switches == nil {
		return conn.Ping(ctx).Err()
	}
	role, err := conn.Do(ctx, "role").Slice()
	if err != nil {
		return err
	}
	if len(role) == 0 || role[0] != "master" {
		return errDemoted
	}
	return nil
}

// set records whether a master sends invalidations.
func (n *NearCache) set(t *tracker, up bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t.up = up
	if n.trackers[t.node.addr] == t {
		n.reset()
	}
}

// reset drops all entries after a change of the trackers. n.mu is held.
func (n *NearCache) reset() {
	tracked := len(n.trackers) > 0
	for _, t := range n.trackers {
		tracked = tracked && t.up
	}
	n.forgetAllLocked(tracked)
}

// answered records that a master answered a PING that was sent at a time. Entries are fresh as long
// as those of all masters are.
func (n *NearCache) answered(t *tracker, sent time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t.fresh = sent
	if !n.tracked || n.trackers[t.node.addr] != t {
		return
	}
	for _, other := range n.trackers {
		if other.fresh.Before(sent) {
			sent = other.fresh
		}
	}
	n.freshSince(sent)
}

// sending keeps loads from a node from being kept in memory, unless the node sends invalidations.
func (n *NearCache) sending(at *node, loads []*load) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.trackers[at.addr]; t != nil && t.up && t.node == at {
		return
	}
	for _, l := range loads {
		l.stale = true
	}
}

// unknown keeps a load from being kept in memory: its node may send no invalidations.
func (n *NearCache) unknown(l *load) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l.stale = true
}

// report calls onChange if redis began or stopped to send invalidations, or if it can't start.
func (n *NearCache) report(err error) {
	n.reporting.Lock()
	defer n.reporting.Unlock()
	n.mu.Lock()
	up := n.tracked
	n.mu.Unlock()
	if !up && err == nil || n.reported && up == n.reportedUp {
		return
	}
	n.reported, n.reportedUp = true, up
	if up {
		err = nil
	}
	n.onChange(up, err)
}

// Masters returns how many masters of redis the near cache knows, and how many of them send it
// invalidations. Both are 0 before [NearCache.Run].
func (n *NearCache) Masters() (known, tracked int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.trackers {
		if t.up {
			tracked++
		}
	}
	return len(n.trackers), tracked
}

// invalidations handles redis's invalidation messages. A message holds the changed keys, or none
// if all keys changed (FLUSHDB and FLUSHALL).
type invalidations struct{ *NearCache }

var _ push.NotificationHandler = invalidations{}

func (i invalidations) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, message []any) error {
	if len(message) < 2 {
		return fmt.Errorf("invalidation message of %d parts", len(message))
	}
	names, ok := message[1].([]any)
	if !ok {
		i.forgetAll()
		return nil
	}
	keys := make([]string, 0, len(names))
	for _, name := range names {
		if key, ok := name.(string); ok {
			keys = append(keys, key)
		}
	}
	i.forget(keys...)
	return nil
}
