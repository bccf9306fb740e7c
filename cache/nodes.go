package cache

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// sentinelDials is how many timeouts a dial to a master may take with sentinels: it asks a
	// sentinel first, and others if that sentinel hangs.
	sentinelDials = 4
	// maxRedirects bounds the redirects of one call in a cluster.
	maxRedirects = 3
	// slotsInterval is how old the known masters of a cluster may be.
	slotsInterval = 500 * time.Millisecond
)

// node is a redis that takes writes: the only one, the master that the sentinels name, or a master
// of a cluster.
type node struct {
	addr    string // empty unless it is a master of a cluster
	client  *redis.Client
	breaker *breaker // nil without Options.Timeout
}

// nodes finds the node of a key. Each node has its own circuit breaker, so that a master that hangs
// costs only the keys in its slots. It is safe for concurrent use.
type nodes struct {
	only     *node                // nil in a cluster
	switches *switches            // nil without sentinels
	cluster  *redis.ClusterClient // nil unless there is a cluster
	// slots is the circuit breaker of the first read of a cluster's slots, and redirects that of
	// redirected calls.
	slots, redirects *breaker
	outages          outages

	mu    sync.Mutex
	known map[string]*node // by address, of a cluster
	// masters is the result of the last read of the masters, at the time of read.
	masters []*node
	read    time.Time
}

// newNodes returns the nodes of a target. It does no I/O. Without onBreaker there are no circuit
// breakers. Without onCommand no command is timed.
func newNodes(
	t target, timeout time.Duration, onBreaker func(open bool), onCommand func(string, time.Duration, error),
) *nodes {
	n := &nodes{known: map[string]*node{}, outages: outages{onChange: onBreaker, open: map[string]bool{}}}
	// A dead redis must cost a fraction of a client's wait. The client's own retries would make it
	// seconds, and every caller has a better answer than a retry.
	switch {
	case t.cluster != nil:
		o := t.cluster
		o.MaxRetries, o.DialerRetries, o.MaxRedirects = -1, 1, maxRedirects
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, poolTimeout
		o.ClusterStateReloadInterval = slotsInterval
		o.DisableRoutingPolicies = true // All our commands have a key. The policies need COMMAND.
		n.cluster, n.slots, n.redirects = redis.NewClusterClient(o), n.newBreaker("slots"), n.newBreaker("redirects")
		n.cluster.AddHook(noRetries{})
	case t.sentinels != nil:
		o := t.sentinels
		o.MaxRetries, o.DialerRetries = -1, 1
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = sentinelDials*timeout, timeout, timeout, poolTimeout
		n.only, n.switches = &node{client: redis.NewFailoverClient(o), breaker: n.newBreaker("")}, &switches{}
		n.only.client.AddHook(n.switches)
	default:
		o := t.server
		o.MaxRetries, o.DialerRetries = -1, 1
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, poolTimeout
		n.only = &node{client: redis.NewClient(o), breaker: n.newBreaker("")}
	}
	if onCommand != nil {
		n.addHook(timed{onCommand})
	}
	return n
}

// addHook adds a hook to each node, also to those that a cluster gets later.
func (n *nodes) addHook(hook redis.Hook) {
	if n.only != nil {
		n.only.client.AddHook(hook)
		return
	}
	n.cluster.OnNewNode(func(client *redis.Client) { client.AddHook(hook) })
}

// stats returns the state of the connections to all nodes.
func (n *nodes) stats() *redis.PoolStats {
	if n.only != nil {
		return n.only.client.PoolStats()
	}
	return n.cluster.PoolStats()
}

func (n *nodes) newBreaker(addr string) *breaker {
	if n.outages.onChange == nil {
		return nil
	}
	return newBreaker(func(open bool) { n.outages.set(addr, open) })
}

func (n *nodes) close() error {
	if n.cluster != nil {
		return n.cluster.Close()
	}
	return n.only.client.Close()
}

// of returns the node of a key. In a cluster it reads the slots if they are unknown.
func (n *nodes) of(ctx context.Context, key string) (*node, error) {
	if n.only != nil {
		return n.only, nil
	}
	return guarded(ctx, n.slots, func(ctx context.Context) (*node, error) { return n.find(ctx, key) })
}

// find is of without a circuit breaker.
func (n *nodes) find(ctx context.Context, key string) (*node, error) {
	if n.only != nil {
		return n.only, nil
	}
	client, err := n.cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("find the master of a key: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at(client), nil
}

// at returns the node of a client. n.mu is held.
func (n *nodes) at(client *redis.Client) *node {
	addr := client.Options().Addr
	if at := n.known[addr]; at != nil && at.client == client {
		return at
	}
	n.outages.set(addr, false) // Of the breaker of a former client
	at := &node{addr: addr, client: client, breaker: n.newBreaker(addr)}
	n.known[addr] = at
	return at
}

// all returns all masters. In a cluster they are at most slotsInterval old. It fails if no read of
// the slots has succeeded yet.
func (n *nodes) all(ctx context.Context) ([]*node, error) {
	if n.only != nil {
		return []*node{n.only}, nil
	}
	n.mu.Lock()
	masters, read := n.masters, n.read
	n.mu.Unlock()
	if time.Since(read) < slotsInterval {
		return masters, nil
	}
	return n.reload(ctx)
}

// reload is all, but reads the slots now. If that fails, it returns the last masters. It forgets nodes
// that are no longer masters.
func (n *nodes) reload(ctx context.Context) ([]*node, error) {
	if n.only != nil {
		return []*node{n.only}, nil
	}
	var all []*node
	err := n.cluster.ForEachMaster(ctx, func(_ context.Context, client *redis.Client) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		all = append(all, n.at(client))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the masters of the cluster: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.masters, n.read = all, time.Now()
	for addr, at := range n.known {
		if !slices.Contains(all, at) {
			delete(n.known, addr)
			n.outages.set(addr, false) // No call would close its breaker.
		}
	}
	return all, nil
}

// failed notes the error of a call in a cluster: the slots may have moved. It returns whether the
// call was redirected, and so did not run.
func (n *nodes) failed(ctx context.Context, err error) (redirected bool) {
	if n.cluster == nil || err == nil {
		return false
	}
	_, moved := redis.IsMovedError(err)
	_, ask := redis.IsAskError(err)
	if moved || ask || !Replied(err) || redis.IsClusterDownError(err) {
		n.cluster.ReloadState(ctx) // In the background, at most five times a second.
	}
	return moved || ask
}

// on calls f with the client of the key's node, unless its circuit breaker is open. In a cluster it
// follows a redirect.
func on[T any](ctx context.Context, n *nodes, key string, f func(context.Context, redis.Cmdable) (T, error)) (T, error) {
	at, err := n.of(ctx, key)
	if err != nil {
		var none T
		return none, err
	}
	out, err := guarded(ctx, at.breaker, func(ctx context.Context) (T, error) { return f(ctx, at.client) })
	if n.failed(ctx, err) {
		return guarded(ctx, n.redirects, func(ctx context.Context) (T, error) { return f(ctx, n.cluster) })
	}
	return out, err
}

// still reports whether a node is a master, and whether the sentinels still name the master that
// they named at a number of switches.
func (n *nodes) still(ctx context.Context, at *node, switched int64) bool {
	if n.switches.now() != switched {
		return false
	}
	masters, err := n.all(ctx)
	return err != nil || slices.Contains(masters, at)
}
