package region

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddr returns a client's address, in its IPv4 form if it has one and without a zone. It
// returns false if the address is not known.
//
// Without trusted proxies, the address is remoteAddr, the connection's peer ("192.0.2.1:567", as in
// [net/http.Request]). forwardedFor is then only the client's own claim.
//
// With trustedHops proxies in a row, the peer is the last of them. Each proxy has appended the
// address of its own peer to the X-Forwarded-For lines in forwardedFor. The client is therefore the
// trustedHops-th entry from the right, and entries to the left of it are the client's claim. This
// holds if clients reach the front end only through the proxies, and if every proxy appends.
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

// ipv6Client is the prefix length that identifies an IPv6 client. A network has a /64, and its
// hosts choose their addresses in it (https://www.rfc-editor.org/rfc/rfc4291#section-2.5.4).
const ipv6Client = 64

// ClientOf returns the address that identifies a client in limits: its IPv4 address, or the first
// address of its IPv6 /64. For the zero address, ClientOf returns the zero address.
func ClientOf(a netip.Addr) netip.Addr {
	a = normalize(a)
	if a.Is6() {
		a = netip.PrefixFrom(a, ipv6Client).Masked().Addr()
	}
	return a
}

// Client returns [ClientOf] a request's [ClientAddr]. If ClientAddr does not know the address, Client
// uses the connection's peer. If the peer's address is no IP address, Client returns the zero
// address.
func Client(r *http.Request, trustedHops int) netip.Addr {
	a, ok := ClientAddr(r.RemoteAddr, r.Header["X-Forwarded-For"], trustedHops)
	if !ok {
		a, _ = ClientAddr(r.RemoteAddr, nil, 0)
	}
	return ClientOf(a)
}

// nthFromRight returns the nth entry from the right, counted from 1, of the comma-separated entries
// of all lines. An empty entry counts, although RFC 9110, section 5.6.1.2, ignores it in other
// lists. Otherwise the client's own entries would move to the right.
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

// parseAddr parses an address with or without a port, since proxies write both. An IPv6 address may
// be in brackets.
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

// normalize maps the forms of one host's address to one form. It drops the zone, which has a
// meaning on its own machine only. It unmaps IPv4 addresses, since a dual-stack listener sees IPv4
// clients as mapped.
func normalize(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }
