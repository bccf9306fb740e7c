package worker

import (
	"fmt"
	"net"
	"strings"
)

// Addresses returns the hosts and ports to which [Dial] connects. It does no I/O.
func Addresses() ([]string, error) {
	opts, err := dialOptions()
	if err != nil {
		return nil, err
	}
	return addressesOf(opts.HostPort)
}

// addressesOf reads a target of gRPC: host:port, or a name with the scheme of a resolver
// (https://github.com/grpc/grpc/blob/master/doc/naming.md). A socket has no address.
func addressesOf(target string) ([]string, error) {
	scheme, rest, hasScheme := strings.Cut(target, ":")
	if !hasScheme {
		scheme = ""
	}
	if authority, ok := strings.CutPrefix(rest, "//"); ok { // The authority of DNS is a name server.
		_, rest, _ = strings.Cut(authority, "/")
	}
	hosts := []string{target}
	switch scheme {
	case "dns", "passthrough":
		hosts = []string{rest}
	case "ipv4", "ipv6":
		hosts = strings.Split(rest, ",")
	case "unix", "unix-abstract":
		return nil, nil
	}
	for i, at := range hosts {
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			host, port = strings.Trim(at, "[]"), "443" // The default of gRPC.
		}
		if host == "" || strings.ContainsAny(host, "/@") {
			return nil, fmt.Errorf("TEMPORAL_ADDRESS: %q is not a host and port", target)
		}
		hosts[i] = net.JoinHostPort(host, port)
	}
	return hosts, nil
}
