package flight

import (
	"iter"
	"net/netip"
	"time"
)

// admission decides whether a copy may be requested: a limit of each client, a limit of each source
// host, and the gate of each pool.
type admission struct {
	gate    *Gate // nil is always open
	clients buckets[netip.Addr]
	hosts   buckets[string]
	now     func() time.Time
}

// request spends the tokens of one copy request: one of the first payer that has any, and one of
// the source host. It returns a [*LimitError], and spends nothing, at the first limit in this order:
// the gate, the payers, the host. A payer at its limit thus takes no token of a host.
//
// The caller serializes the calls.
func (a *admission) request(t *Target, payers iter.Seq[netip.Addr]) error {
	if err := a.gate.pass(t.Pool.ID(), forClients); err != nil {
		return err
	}
	now := a.now()
	undo, err := a.pay(payers, now)
	if err != nil {
		return err
	}
	if _, wait := a.hosts.take(t.Object.Host(), now); wait > 0 {
		undo()
		return refuse(LimitHost, wait)
	}
	return nil
}

// pay takes a token of the first payer that has one.
func (a *admission) pay(payers iter.Seq[netip.Addr], now time.Time) (undo func(), err error) {
	soonest := maxRetry
	for payer := range payers {
		undo, wait := a.clients.take(payer, now)
		if wait == 0 {
			return undo, nil
		}
		soonest = min(soonest, wait)
	}
	return nil, refuse(LimitClient, soonest)
}
