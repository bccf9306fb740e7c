package origin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"testing"

	"code.dny.dev/ssrf"
)

// mustNotDial reports whether an address is not a global unicast address of the Internet, by
// properties of package netip and by the registry's own networks.
func mustNotDial(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return true
	}
	if a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) && !netip.MustParsePrefix("64:ff9b::/96").Contains(a) {
		return true
	}
	for _, special := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"168.63.129.16/32", "2001:db8::/32", "2001:2::/48", "3fff::/20",
	} {
		if netip.MustParsePrefix(special).Contains(a) {
			return true
		}
	}
	// Gateways translate these to IPv4.
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return mustNotDial(netip.AddrFrom4([4]byte(b[12:])))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return mustNotDial(netip.AddrFrom4([4]byte(b[2:6])))
	}
	return false
}

// FuzzAddress checks the guard of the dialer against an independent table.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{
		"127.0.0.1", "10.0.0.1", "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "8.8.8.8", "::1", "::ffff:127.0.0.1",
		"fd00:ec2::254", "64:ff9b::7f00:1", "64:ff9b::808:808", "2002:7f00:1::", "fe80::1", "2606:4700::1", "::127.0.0.1", "ff02::1", "64:ff9b:1::1",
	} {
		a := netip.MustParseAddr(seed).As16()
		f.Add(a[:], uint16(80))
	}
	guard := dialGuard(f)
	f.Fuzz(func(t *testing.T, raw []byte, port uint16) {
		var b [16]byte
		copy(b[:], raw)
		// As the dialer passes it to Control: an IPv4-mapped address as its IPv4 address.
		a := netip.AddrFrom16(b).Unmap()
		network := "tcp6"
		if a.Is4() {
			network = "tcp4"
		}
		err := guard(network, netip.AddrPortFrom(a, port).String())
		if err == nil && mustNotDial(a) {
			t.Fatalf("%s may be dialled", a)
		}
		if err != nil && !errors.Is(err, ssrf.ErrProhibitedIP) && !errors.Is(err, ssrf.ErrProhibitedNetwork) {
			t.Fatalf("%s: %v, which no client learns as a refusal", a, err)
		}
	})
}

// dialGuard returns the judge of addresses of a policy without allowed networks.
func dialGuard(f *testing.F) func(network, address string) error {
	f.Helper()
	guard, err := newGuard(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	judge := func(network, address string) error { return guard.safe(network, address, nil) }
	if err := judge("tcp4", "8.8.8.8:443"); err != nil {
		f.Fatal("positive control:", err)
	}
	return judge
}

// FuzzAllowed checks that a URL that the list allows leads net/http to a host and port that the
// list names.
func FuzzAllowed(f *testing.F) {
	for _, seed := range []string{
		"https://exact.example/a", "https://a.wild.example/", "https://wild.example/", "http://port.example:8080/x", "https://prefix.example/dir/a",
		"https://exact.example.evil.test/", "https://exact.example@evil.test/", `https://exact.example\@evil.test/`, "https://evil.test/.wild.example/",
		"https://exact.example:443/", "https://EXACT.example./", "https://[::1%25.wild.example]/", "https://prefix.example/dir/../x", "http://exact.example/",
		"https://prefix.example/dir/..0", "https://evil.test#.wild.example/", "https://evil.test?.wild.example/", "https://exact.example\uff0fevil/", "https://exact\u2024example/",
	} {
		f.Add(seed)
	}
	client := listClient(f)
	var dialled []string
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, net.ErrClosed
	}}
	if _, err := client.Admit("https://exact.example/"); err != nil {
		f.Fatal("positive control:", err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		canonical, err := client.Admit(raw)
		if err != nil {
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, canonical, nil)
		if err != nil {
			t.Fatalf("%q: %v", canonical, err)
		}
		dialled = nil
		if resp, err := transport.RoundTrip(req); err == nil {
			resp.Body.Close()
		}
		if len(dialled) != 1 {
			t.Fatalf("%q: dials %q", canonical, dialled)
		}
		host, port, err := net.SplitHostPort(dialled[0])
		if err != nil {
			t.Fatalf("%q: dials %q", canonical, dialled)
		}
		host = strings.TrimSuffix(host, ".")
		switch at := req.URL.Scheme + " " + port; {
		case host == "exact.example" && at == "https 443":
		case host == "port.example" && at == "http 8080":
		case strings.HasSuffix(host, ".wild.example") && at == "https 443":
		case host == "prefix.example" && at == "https 443" && strings.HasPrefix(path.Clean(req.URL.Path)+"/", "/dir/"):
		default:
			t.Fatalf("%q is allowed as %q, and dials %s", raw, canonical, dialled[0])
		}
	})
}

// listClient returns a client with the list of FuzzAllowed.
func listClient(f *testing.F) *Client {
	f.Helper()
	client, err := New(Config{Allowed: []string{
		"https://exact.example/", "https://*.wild.example/", "http://port.example:8080/", "https://prefix.example/dir/",
	}})
	if err != nil {
		f.Fatal(err)
	}
	return client
}
