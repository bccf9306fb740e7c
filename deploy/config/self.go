package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// loopPrefix is in front of each deployment's id in CDN-Loop.
const loopPrefix = "cloud-mirror-"

// LoopID returns the deployment's name in CDN-Loop. It is derived only from values that all
// processes of a deployment share: the names of the queue and of the buckets, in any order.
// Endpoints may differ between processes. Deployments with the same names need a loop_id each.
func (c *Config) LoopID() string {
	if c.Frontend.LoopID != "" {
		return loopPrefix + c.Frontend.LoopID
	}
	names := []string{c.SQS.Queue}
	for _, p := range c.Pools {
		names = append(names, p.Bucket)
	}
	slices.Sort(names[1:])
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return loopPrefix + hex.EncodeToString(sum[:6])
}

// own returns the names and addresses of the deployment's listeners. It omits port 0, which other
// processes can't know.
func (c *Config) own() (names []string, addrs []netip.AddrPort) {
	names = append(names, c.Frontend.PublicNames...)
	for _, listen := range []string{c.Frontend.Listen, c.Frontend.AdminListen, c.Worker.AdminListen} {
		host, service, err := net.SplitHostPort(listen)
		if err != nil {
			continue // The listener reports it.
		}
		port, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", service)
		if err != nil || port == 0 {
			continue
		}
		switch addr, err := netip.ParseAddr(host); {
		case host == "":
			addrs = append(addrs, netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(port))) //nolint:gosec // a port
		case err == nil:
			addrs = append(addrs, netip.AddrPortFrom(addr.WithZone(""), uint16(port))) //nolint:gosec // a port
		default:
			names = append(names, net.JoinHostPort(host, service))
		}
	}
	return names, addrs
}
