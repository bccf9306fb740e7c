package origin

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestServicesAreRefusedByName checks URLs, without any I/O.
func TestServicesAreRefusedByName(t *testing.T) {
	s, err := newServices([]string{"Redis.internal.:6379", "127.0.0.1:7233", "[2001:db8::1]:443", "10.1.2.3:6379"})
	require.NoError(t, err)
	for _, named := range s.named {
		named.lookup = func(context.Context, string, string) ([]netip.Addr, error) { panic("I/O") }
	}
	for raw, service := range map[string]bool{
		"http://redis.internal:6379/": true, "http://redis.internal/": false, "http://x.redis.internal:6379/": false,
		"http://127.0.0.1:7233/": true, "http://127.9.9.9:7233/": true, "http://localhost:7233/": true, "http://127.0.0.1:7234/": false,
		"http://[::1]:7233/": true, "http://0.0.0.0:7233/": true, "https://[2001:db8::1]/": true, "http://[2001:db8::1]/": false,
		"http://10.1.2.3:6379/": true, "http://10.1.2.3:6380/": false, "http://10.1.2.4:6379/": false,
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, service, s.is(u), raw)
	}
}

// TestServicesAreNotDialled has a name fail over to another address, and the resolver fail.
func TestServicesAreNotDialled(t *testing.T) {
	s, err := newServices([]string{"redis.internal:6379", "10.9.9.9:443"})
	require.NoError(t, err)
	now, lookups := time.Unix(1e9, 0), 0
	addrs, failure := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.3")}, error(nil)
	redis := s.named[0]
	redis.now = func() time.Time { return now }
	redis.lookup = func(_ context.Context, network, host string) ([]netip.Addr, error) {
		require.Equal(t, []string{"ip", "redis.internal"}, []string{network, host})
		lookups++
		return addrs, failure
	}
	passed := 0
	control := s.guard(func(string, string, syscall.RawConn) error { passed++; return nil })
	refused := func(address string) bool {
		before := passed
		err := control("tcp", address, nil)
		if err == nil {
			require.Equal(t, before+1, passed)
			return false
		}
		require.ErrorIs(t, err, errService)
		require.Equal(t, before, passed)
		require.EqualError(t, sendError(t.Context(), "alias.example.com", err, false, 0), "host alias.example.com resolves to a server of this mirror")
		return true
	}
	require.True(t, refused("10.9.9.9:443"))
	require.False(t, refused("10.0.0.1:443"), "control: another port")
	require.Zero(t, lookups, "a port of no named service needs no lookup")

	require.True(t, refused("10.0.0.1:6379"))
	require.True(t, refused("[::ffff:10.0.0.1]:6379"))
	require.True(t, refused("10.0.0.3:6379"))
	require.True(t, refused("[64:ff9b::10.0.0.1]:6379"))
	require.False(t, refused("10.0.0.2:6379"), "control: another address")
	require.Equal(t, 1, lookups)

	addrs = addrs[:0:0]
	addrs = append(addrs, netip.MustParseAddr("10.0.0.2"))
	now = now.Add(resolveEvery)
	require.True(t, refused("10.0.0.2:6379"), "the address after a fail-over")
	require.True(t, refused("10.0.0.1:6379"), "the address before it, for a while")
	require.Equal(t, 2, lookups)
	now = now.Add(keepAddress + time.Second)
	require.False(t, refused("10.0.0.1:6379"))
	require.True(t, refused("10.0.0.2:6379"))
	require.Equal(t, 3, lookups)

	failure = errors.New("no answer")
	now = now.Add(2 * keepAddress)
	require.True(t, refused("10.0.0.2:6379"), "without an answer, the last addresses count")
	require.Equal(t, 4, lookups)
}

// TestServicesOnThisMachine checks servers on loopback, as in the local stack.
func TestServicesOnThisMachine(t *testing.T) {
	s, err := newServices([]string{"localhost:6380", "0.0.0.0:9324"})
	require.NoError(t, err)
	for address, service := range map[string]bool{
		"127.0.0.1:6380": true, "127.0.0.2:6380": true, "[::1]:6380": true, "0.0.0.0:6380": true, "127.0.0.1:9324": true,
		"127.0.0.1:8090": false, "192.0.2.1:6380": false,
	} {
		require.Equal(t, service, s.at(netip.MustParseAddrPort(address)), address)
	}
}
