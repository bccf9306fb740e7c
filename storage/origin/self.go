package origin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// errSelf is the refusal to dial an address of this mirror.
var errSelf = errors.New("address of this mirror")

// self knows the names and addresses of this mirror. A source there would be a copy of a copy, and
// could request copies of itself without end.
type self struct {
	names map[string]bool // Hosts for every port, and hosts with a port
	addrs map[netip.AddrPort]bool
	// ports are those at which the mirror listens on all addresses of this machine, which local holds.
	ports map[uint16]bool
	local map[netip.Addr]bool
}

// newSelf returns the mirror with these names and addresses. An unspecified address stands for all
// addresses of this machine.
func newSelf(names []string, addrs []netip.AddrPort) (*self, error) {
	s := &self{
		names: map[string]bool{}, addrs: map[netip.AddrPort]bool{}, ports: map[uint16]bool{}, local: map[netip.Addr]bool{},
	}
	for _, name := range names {
		canonical, err := CanonicalName(name)
		if err != nil {
			return nil, err
		}
		s.names[canonical] = true
	}
	for _, a := range addrs {
		if a.Addr().IsUnspecified() {
			s.ports[a.Port()] = true
		} else {
			s.addrs[netip.AddrPortFrom(a.Addr().Unmap(), a.Port())] = true
		}
	}
	if len(s.ports) == 0 {
		return s, nil
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("origin: addresses of this machine: %w", err)
	}
	for _, i := range interfaces {
		if prefix, err := netip.ParsePrefix(i.String()); err == nil {
			s.local[prefix.Addr().Unmap().WithZone("")] = true
		}
	}
	return s, nil
}

// CanonicalName returns a host, with or without a port, as [Config].OwnNames compares it. It
// refuses anything else.
func CanonicalName(name string) (string, error) {
	if strings.ContainsAny(name, "/?#") {
		return "", fmt.Errorf("%q is not a host, or a host with a port", name)
	}
	// No scheme has a default port here, so the port is kept.
	canonical, err := canonicalAuthority("", name)
	if err != nil {
		return "", fmt.Errorf("%q is not a host, or a host with a port", name)
	}
	return canonical, nil
}

// named reports whether the host and port of a canonical URL are this mirror's, without any I/O.
func (s *self) named(u *url.URL) bool {
	host, port := u.Hostname(), portOf(u)
	bracketed := host
	if strings.Contains(host, ":") {
		bracketed = "[" + host + "]"
	}
	if s.names[bracketed] || s.names[bracketed+":"+port] {
		return true
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	return err == nil && s.at(at)
}

// at reports whether this mirror listens at the address.
func (s *self) at(a netip.AddrPort) bool {
	for _, addr := range readings(a.Addr()) {
		if s.addrs[netip.AddrPortFrom(addr, a.Port())] {
			return true
		}
		if s.ports[a.Port()] && (addr.IsLoopback() || addr.IsUnspecified() || s.local[addr]) {
			return true
		}
	}
	return false
}

// guard refuses to dial this mirror, whatever the name of the host was. It calls next for all other
// addresses.
func (s *self) guard(next func(network, address string, c syscall.RawConn) error) func(string, string, syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(address); err == nil && s.at(a) {
			return errSelf
		}
		return next(network, address, c)
	}
}
