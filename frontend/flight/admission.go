package flight

import (
	"iter"
	"net/netip"
	"strings"
	"time"
)

// admission decides whether a flight may request a copy. It holds the limit of each client, the
// limit of each source host, and the gate of each pool.
type admission struct {
	gate    *Gate // nil is always open
	clients buckets[netip.Addr]
	hosts   buckets[string]
	now     func() time.Time
}

// request spends two tokens for one copy request: a token of the first payer that has any, and a
// token of the source host. It checks the payers, the gate and the host, in this order, and returns
// a [*LimitError] at the first limit. A payer at its limit takes no token of a host. A payer pays
// even if the gate or the host refuses: its request caused a lease and a HEAD of the bucket.
//
// The caller serializes the calls.
func (a *admission) request(t *Target, payers iter.Seq[netip.Addr]) error {
	if err := a.pay(payers); err != nil {
		return err
	}
	if err := a.gate.pass(t.Pool.ID(), forClients); err != nil {
		return err
	}
	host := strings.Clone(t.Object.Host()) // Otherwise the table would keep the whole URL.
	if wait := a.hosts.take(host, a.now()); wait > 0 {
		return refuse(LimitHost, wait)
	}
	return nil
}

// pay takes a token of the first payer that has any. It returns a [*LimitError] if no payer has a
// token.
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
