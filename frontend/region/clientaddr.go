package region

import (
	"net/netip"
	"slices"
	"strings"
)

// ClientAddr returns a client's address, as IPv4 if that is what it is and without a zone, or false if it is not known.
//
// Without trusted proxies it is remoteAddr, the connection's peer ("192.0.2.1:567", as in [net/http.Request]), and
// forwardedFor is the client's own claim. With trustedHops of them in a row, of which the peer is the last, each has
// appended whom it was called by to the X-Forwarded-For lines in forwardedFor: the client is the trustedHops-th entry
// from the right, and what is left of it is the client's claim again. That holds if the front end can be reached through
// the proxies only, and if each of them appends.
func ClientAddr(remoteAddr string, forwardedFor []string, trustedHops int) (netip.Addr, bool) {
	if trustedHops <= 0 {
		return parseAddr(remoteAddr)
	}
	entry, ok := nthFromRight(forwardedFor, trustedHops)
	if !ok {
		return netip.Addr{}, false
	}
	return parseAddr(entry)
}

// nthFromRight returns the nth entry, from 1, of all lines' comma-separated entries. An empty entry counts, although RFC 9110,
// section 5.6.1.2, would ignore it in other lists: without it the client's own entries would move to the right.
func nthFromRight(lines []string, n int) (string, bool) {
	for _, rest := range slices.Backward(lines) {
		for more := true; more; n-- {
			entry := rest
			comma := strings.LastIndexByte(rest, ',')
			if more = comma >= 0; more {
				rest, entry = rest[:comma], rest[comma+1:]
			}
			if n == 1 {
				return entry, true
			}
		}
	}
	return "", false
}

// parseAddr reads an address with a port or without, as proxies write both; one of IPv6 may be in brackets.
func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return normalize(withPort.Addr()), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(s)
	return normalize(a), err == nil
}

// normalize makes one address of those that mean the same host: a zone is the machine's own, and a dual-stack listener sees
// IPv4 clients as mapped ones.
func normalize(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }
