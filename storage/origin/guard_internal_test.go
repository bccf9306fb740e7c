package origin

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func prefixes(all ...string) (p []netip.Prefix) {
	for _, s := range all {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// TestGuard judges addresses under allowed and denied networks.
func TestGuard(t *testing.T) {
	everything := []string{"0.0.0.0/0", "::/0"}
	for _, tt := range []struct {
		addr            string
		allowed, denied []string
		ok              bool
	}{
		{addr: "8.8.8.8", ok: true},
		{addr: "2606:4700::1111", ok: true},
		{addr: "10.1.2.3"},
		{addr: "10.1.2.3", allowed: []string{"10.0.0.0/8"}, ok: true},
		{addr: "127.0.0.1", allowed: everything, ok: true},

		// Metadata services: nothing but the address itself opens them.
		{addr: "168.63.129.16"},
		{addr: "168.63.129.16", allowed: everything},
		{addr: "168.63.129.16", allowed: []string{"168.63.129.16/31"}},
		{addr: "168.63.129.16", allowed: []string{"168.63.129.16/32"}},
		{addr: "::ffff:168.63.129.16", allowed: everything},
		{addr: "168.63.129.17", ok: true},
		{addr: "169.254.169.254", allowed: everything},
		{addr: "169.254.169.254", allowed: []string{"169.254.0.0/16"}},
		{addr: "169.254.169.254", allowed: []string{"169.254.169.254/32"}, ok: true},
		{addr: "169.254.169.254", allowed: []string{"::ffff:169.254.169.254/128"}, ok: true},
		{addr: "169.254.170.2", allowed: []string{"169.254.169.254/32"}},
		{addr: "fe80::a9fe:a9fe", allowed: everything},
		{addr: "100.100.100.200", allowed: []string{"100.64.0.0/10"}},
		{addr: "100.100.100.201", allowed: []string{"100.64.0.0/10"}, ok: true},
		{addr: "192.0.0.192", allowed: []string{"192.0.0.0/24"}},
		{addr: "fd00:ec2::254", allowed: []string{"fc00::/7"}},
		{addr: "fd00:ec2::23", allowed: []string{"fd00::/8"}},
		{addr: "fd00:ec2::254", allowed: []string{"fd00:ec2::254/128"}, ok: true},
		{addr: "fd20:ce::254", allowed: []string{"fc00::/7"}},
		{addr: "fd00:c1::a9fe:a9fe", allowed: []string{"fc00::/7"}},
		{addr: "fd00:100::100:200", allowed: []string{"fc00::/7"}},
		{addr: "fd00:42::42", allowed: []string{"fc00::/7"}},
		{addr: "fd00:a9fe:a9fe::1", allowed: []string{"fc00::/7"}},
		{addr: "fd12::1", allowed: []string{"fc00::/7"}, ok: true},

		// Denied networks win.
		{addr: "8.8.8.8", denied: []string{"8.8.0.0/16"}},
		{addr: "8.9.8.8", denied: []string{"8.8.0.0/16"}, ok: true},
		{addr: "10.1.2.3", allowed: []string{"10.0.0.0/8", "10.1.2.3/32"}, denied: []string{"10.1.2.0/24"}},
		{addr: "10.1.3.3", allowed: []string{"10.0.0.0/8"}, denied: []string{"10.1.2.0/24"}, ok: true},
		{addr: "::ffff:8.8.8.8", denied: []string{"8.8.8.8/32"}},
		{addr: "8.8.8.8", denied: []string{"::ffff:8.8.8.0/120"}},
		{addr: "8.8.8.8", denied: []string{"8.8.8.0/24"}},
		{addr: "2606:4700::1111", denied: []string{"2606::/16"}},

		// The kernel connects an unspecified address to loopback.
		{addr: "0.0.0.0", allowed: everything, ok: true},
		{addr: "0.0.0.0", allowed: everything, denied: []string{"127.0.0.0/8"}},
		{addr: "0.0.0.0", allowed: []string{"0.0.0.0/8"}},
		{addr: "::", allowed: everything, ok: true},
		{addr: "::", allowed: everything, denied: []string{"::1/128"}},

		// A gateway translates these to IPv4.
		{addr: "64:ff9b::8.8.8.8"},
		{addr: "64:ff9b::8.8.8.8", allowed: []string{"64:ff9b::/96"}, ok: true},
		{addr: "64:ff9b::8.8.8.8", allowed: []string{"64:ff9b::/96"}, denied: []string{"8.8.8.8/32"}},
		{addr: "64:ff9b::127.0.0.1", allowed: []string{"64:ff9b::/96"}},
		{addr: "64:ff9b::169.254.169.254", allowed: everything},
		{addr: "64:ff9b::168.63.129.16", allowed: []string{"64:ff9b::/96"}},
		{addr: "64:ff9b:1::10.1.2.3", allowed: []string{"64:ff9b:1::/48"}},
		{addr: "64:ff9b:1::10.1.2.3", allowed: []string{"64:ff9b:1::/48", "10.0.0.0/8"}, ok: true},
		{addr: "2002:7f00:1::1", allowed: []string{"2002::/16"}},
		{addr: "2002:a9fe:a9fe::1", allowed: everything},
		{addr: "2002:808:808::1", allowed: []string{"2002::/16"}, ok: true},
	} {
		g, err := newGuard(prefixes(tt.allowed...), prefixes(tt.denied...))
		require.NoError(t, err)
		addr := netip.MustParseAddr(tt.addr)
		network := "tcp4"
		if addr.Is6() {
			network = "tcp6"
		}
		err = g.safe(network, netip.AddrPortFrom(addr.Unmap(), 80).String(), nil)
		require.Equal(t, tt.ok, err == nil, "%s with allowed %v, denied %v: %v", tt.addr, tt.allowed, tt.denied, err)
	}
	g, err := newGuard(nil, nil)
	require.NoError(t, err)
	require.Error(t, g.safe("udp4", "8.8.8.8:80", nil))
	require.Error(t, g.safe("tcp4", "8.8.8.8", nil))
}

// TestGuardOfRandomAddresses compares the guard with package netip, which knows the most important
// special networks, and checks that a denied network never lets an address pass.
func TestGuardOfRandomAddresses(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	first := []byte{10, 100, 127, 169, 172, 192, 198, 224, 240, 0, 168, 8, 255}
	second := []byte{0, 64, 254, 16, 31, 168, 63, 18, 51, 100, 8}
	strict, err := newGuard(nil, nil)
	require.NoError(t, err)
	open, err := newGuard(prefixes("0.0.0.0/0", "::/0"), nil)
	require.NoError(t, err)
	special, public := 0, 0
	for range 50_000 {
		v4 := [4]byte{first[random.IntN(len(first))], second[random.IntN(len(second))], byte(random.Uint32()), byte(random.Uint32())}
		addr := netip.AddrFrom4(v4)
		if random.IntN(3) == 0 {
			v6 := [16]byte{0: []byte{0x20, 0xfc, 0xfd, 0xfe, 0xff, 0}[random.IntN(6)], 1: byte(random.Uint32()), 15: byte(random.Uint32())}
			addr = netip.AddrFrom16(v6)
		}
		err := strict.check(addr)
		if addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() {
			special++
			require.Error(t, err, addr)
		} else if err == nil {
			public++
			require.NoError(t, open.check(addr), addr)
		}
		bits := random.IntN(addr.BitLen() + 1)
		denied, err := newGuard(prefixes("0.0.0.0/0", "::/0", netip.PrefixFrom(addr, addr.BitLen()).String()), []netip.Prefix{netip.PrefixFrom(addr, bits).Masked()})
		require.NoError(t, err)
		require.Error(t, denied.check(addr), "%s in /%d", addr, bits)
		mapped := netip.AddrFrom16(addr.As16())
		require.Equal(t, strict.check(addr) == nil, strict.check(mapped) == nil, "%s and its mapped form", addr)
	}
	require.Greater(t, special, 5_000)
	require.Greater(t, public, 1_000)
}
