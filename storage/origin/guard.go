package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// guard judges addresses when the socket is made. It refuses, in this order:
//
//   - The networks that the operator denies.
//   - The addresses of metadata services, unless the operator lists exactly that address.
//   - The networks of the IANA special-purpose registries, unless the operator allows them.
//
// An IPv6 address that a gateway translates to an IPv4 address must be allowed as both.
//
// It allows every port, since the list of allowed sources decides about ports.
type guard struct {
	denied  []netip.Prefix
	single  []netip.Addr // Allowed networks of one address each
	special *ssrf.Guardian
}

// metadata holds the networks in which clouds serve credentials and settings of a machine to every
// process on it. Most are in special-purpose networks, which an allowed network such as fc00::/7
// would open.
var metadata = []netip.Prefix{
	// Link-local: 169.254.169.254 of most clouds, 169.254.170.2 and 169.254.170.23 of AWS's
	// containers.
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fe80::/10"),
	// AWS: fd00:ec2::254 and its neighbours, see
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
	netip.MustParsePrefix("fd00:ec2::/32"),
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google Cloud
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle Cloud
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle Cloud Classic
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba Cloud
	netip.MustParsePrefix("fd00:100::100:200/128"),  // Alibaba Cloud
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway
	netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"),  // Akamai
}

// wireServer is Azure's metadata and DNS server, outside of every special-purpose network. No setting
// opens it: no object can be there.
// https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16
var wireServer = netip.MustParsePrefix("168.63.129.16/32")

func newGuard(allowed, denied []netip.Prefix) (*guard, error) {
	g := &guard{denied: []netip.Prefix{wireServer}}
	var v4, v6 []netip.Prefix
	for _, prefix := range allowed {
		prefix, err := unmap(prefix)
		if err != nil {
			return nil, fmt.Errorf("origin: an allowed network %w", err)
		}
		if prefix.IsSingleIP() {
			g.single = append(g.single, prefix.Addr())
		}
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	for _, prefix := range denied {
		prefix, err := unmap(prefix)
		if err != nil {
			return nil, fmt.Errorf("origin: a denied network %w", err)
		}
		g.denied = append(g.denied, prefix)
	}
	g.special = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	return g, nil
}

// unmap returns a network of IPv4-mapped addresses as an IPv4 network: the dialer passes such an
// address to the guard as its IPv4 address. Bits behind the mask may mean that a single address was
// meant.
func unmap(prefix netip.Prefix) (netip.Prefix, error) {
	if !prefix.IsValid() {
		return prefix, errors.New("is invalid")
	}
	if addr, bits := prefix.Addr(), prefix.Bits(); addr.Is4In6() && bits >= 96 {
		prefix = netip.PrefixFrom(addr.Unmap(), bits-96)
	}
	if prefix != prefix.Masked() {
		return prefix, fmt.Errorf("is %s, which has bits behind its mask: write %s", prefix, prefix.Masked())
	}
	return prefix, nil
}

// safe is the guard as [net.Dialer].Control.
func (g *guard) safe(network, address string, c syscall.RawConn) error {
	if err := g.special.Safe(network, address, c); err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return ssrf.ErrInvalidHostPort
	}
	return g.check(at.Addr())
}

// check judges an address and the IPv4 address in it.
func (g *guard) check(addr netip.Addr) error {
	for _, a := range readings(addr) {
		in := func(p netip.Prefix) bool { return p.Contains(a) }
		if slices.ContainsFunc(g.denied, in) {
			return ssrf.ErrProhibitedIP
		}
		if slices.ContainsFunc(metadata, in) && !slices.Contains(g.single, a) {
			return ssrf.ErrProhibitedIP
		}
		if err := g.special.SafeAddr(a); err != nil {
			return err
		}
	}
	return nil
}

// translated holds the networks of addresses that contain an IPv4 address, and its first byte.
var translated = []struct {
	network netip.Prefix
	first   int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},   // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12}, // NAT64 of a site (RFC 8215), with a prefix of 96 bits
	{netip.MustParsePrefix("2002::/16"), 2},       // 6to4 (RFC 3056)
}

// readings returns the addresses that a connection to addr may reach: addr, without its zone, the
// IPv4 address that it contains, and loopback for an unspecified address (as of Linux).
func readings(addr netip.Addr) []netip.Addr {
	addr = addr.Unmap().WithZone("")
	all := []netip.Addr{addr}
	switch {
	case !addr.IsUnspecified():
	case addr.Is4():
		all = append(all, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	default:
		all = append(all, netip.IPv6Loopback())
	}
	for _, t := range translated {
		if t.network.Contains(addr) {
			b := addr.As16()
			all = append(all, netip.AddrFrom4([4]byte(b[t.first:t.first+4])))
		}
	}
	return all
}
