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
// the source host. It returns a [*LimitError] at the first limit in this order: the payers, the gate,
// the host. A payer at its limit takes no token of a host. A payer that the gate or the host refuses
// has paid for the work that its request caused: a lease and a HEAD of the bucket.
//
// The caller serializes the calls.
func (a *admission) request(t *Target, payers iter.Seq[netip.Addr]) error {
	if err := a.pay(payers); err != nil {
		return err
	}
	if err := a.gate.pass(t.Pool.ID(), forClients); err != nil {
		return err
	}
	if wait := a.hosts.take(t.Object.Host(), a.now()); wait > 0 {
		return refuse(LimitHost, wait)
	}
	return nil
}

// pay takes a token of the first payer that has one. It returns a [*LimitError] if none has.
//
// The caller serializes the calls.
func (a *admission) pay(payers iter.Seq[netip.Addr]) error {
	now, soonest := a.now(), maxRetry
	for payer := range payers {
		wait := a.clients.take(payer, now)
		if wait == 0 {
			return nil
		}
		soonest = min(soonest, wait)
	}
	return refuse(LimitClient, soonest)
}

// canPay reports whether pay would succeed.
//
// The caller serializes the calls.
func (a *admission) canPay(payers iter.Seq[netip.Addr]) bool {
	now := a.now()
	for payer := range payers {
		if a.clients.wait(payer, now) == 0 {
			return true
		}
	}
	return false
}
