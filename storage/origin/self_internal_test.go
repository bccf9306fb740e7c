package origin

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOwnAddressesAreNotDialled checks the guard of the dialer, which sees resolved addresses: a
// host may have any name.
func TestOwnAddressesAreNotDialled(t *testing.T) {
	s, err := newSelf(nil, []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080"), netip.MustParseAddrPort("192.0.2.1:9000"),
		netip.MustParseAddrPort("127.0.0.1:9090"), netip.MustParseAddrPort("[::1]:9091")})
	require.NoError(t, err)
	for address, own := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:8080": true, "[::ffff:127.0.0.1]:8080": true, "192.0.2.1:9000": true, "[64:ff9b::127.0.0.1]:8080": true,
		// The kernel connects an unspecified address to loopback.
		"0.0.0.0:9090": true, "[::ffff:0.0.0.0]:9090": true, "[::]:9091": true, "0.0.0.0:9092": false, "127.0.0.2:9090": false,
		"127.0.0.1:8081": false, "192.0.2.1:8080": false, "192.0.2.2:9000": false, "198.51.100.1:8080": false,
	} {
		asked := false
		err := s.guard(func(string, string, syscall.RawConn) error { asked = true; return nil })("tcp", address, nil)
		require.Equal(t, !own, asked, address)
		if own {
			require.ErrorIs(t, err, errSelf, address)
			refusal := sendError(t.Context(), "alias.example.com", err, false, 0)
			require.EqualError(t, refusal, "host alias.example.com resolves to this mirror itself")
		} else {
			require.NoError(t, err, address)
		}
	}
}
