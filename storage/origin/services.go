package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// resolveEvery is how old the addresses of a service may be. A name that fails over to another
	// address is noticed within that time.
	resolveEvery = 30 * time.Second
	// keepAddress is how long an address of a service counts after the last answer that contained
	// it.
	keepAddress = 10 * time.Minute
	// resolveTimeout bounds a lookup, which a dial waits for.
	resolveTimeout = 2 * time.Second
)

// errService is the refusal to dial a server that this mirror uses.
var errService = errors.New("address of a server of this mirror")

// services knows the servers that this mirror uses: redis, SQS and Temporal. They trust the
// network, so no source may make this mirror send them a request.
type services struct {
	// fixed holds their names, and the addresses that need no lookup.
	fixed *self
	named []*service
}

func newServices(all []string) (*services, error) {
	s := &services{}
	var names []string
	var addrs []netip.AddrPort
	for _, at := range all {
		canonical, err := CanonicalName(at)
		if err != nil {
			return nil, fmt.Errorf("origin: service %w", err)
		}
		host, port, err := net.SplitHostPort(canonical)
		if err != nil {
			return nil, fmt.Errorf("origin: service %q has no port", at)
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("origin: service %q has no valid port", at)
		}
		names = append(names, canonical)
		switch addr, err := netip.ParseAddr(host); {
		case isLoopback(host):
			addrs = append(addrs, netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(number)))
		case err == nil:
			addrs = append(addrs, netip.AddrPortFrom(addr, uint16(number)))
		default:
			s.named = append(s.named, &service{
				host: host, port: uint16(number), now: time.Now, lookup: net.DefaultResolver.LookupNetIP,
			})
		}
	}
	var err error
	s.fixed, err = newSelf(names, addrs)
	return s, err
}

// is reports whether the host and port of a canonical URL are a service's, without any I/O.
func (s *services) is(u *url.URL) bool { return s.fixed.named(u) }

// at reports whether a service listens at the address. It may look up a service with the same port.
func (s *services) at(a netip.AddrPort) bool {
	if s.fixed.at(a) {
		return true
	}
	for _, addr := range readings(a.Addr()) {
		for _, service := range s.named {
			if service.port == a.Port() && service.has(addr) {
				return true
			}
		}
	}
	return false
}

// guard refuses to dial a service. It calls next for all other addresses.
func (s *services) guard(next func(network, address string, c syscall.RawConn) error) func(string, string, syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(address); err == nil && s.at(a) {
			return errService
		}
		return next(network, address, c)
	}
}

// service is a server with a name, and the addresses of the name.
type service struct {
	host   string
	port   uint16
	now    func() time.Time
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

	mu   sync.Mutex
	due  time.Time                // of the next lookup
	seen map[netip.Addr]time.Time // when a lookup last returned the address
}

// has reports whether the name has, or had until a short time ago, the address. Without an answer
// from the resolver, the last known addresses count.
func (s *service) has(addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); !now.Before(s.due) {
		s.due = now.Add(resolveEvery)
		s.resolve(now)
	}
	_, ok := s.seen[addr]
	return ok
}

func (s *service) resolve(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := s.lookup(ctx, "ip", s.host)
	if err != nil {
		return
	}
	if s.seen == nil {
		s.seen = map[netip.Addr]time.Time{}
	}
	for addr, at := range s.seen {
		if now.Sub(at) > keepAddress {
			delete(s.seen, addr)
		}
	}
	for _, addr := range addrs {
		s.seen[addr.Unmap().WithZone("")] = now
	}
}
