package config

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOwnListeners(t *testing.T) {
	for listen, tc := range map[string]struct {
		names []string
		addrs []string
	}{
		":8080":               {nil, []string{"[::]:8080"}},
		"0.0.0.0:8080":        {nil, []string{"0.0.0.0:8080"}},
		"[::]:8080":           {nil, []string{"[::]:8080"}},
		"192.0.2.1:80":        {nil, []string{"192.0.2.1:80"}},
		"127.0.0.1:0":         {nil, nil},
		"mirror.internal:443": {[]string{"mirror.internal:443"}, nil},
		"localhost:http":      {[]string{"localhost:80"}, nil},
		":http":               {nil, []string{"[::]:80"}},
		"nonsense":            {nil, nil},
	} {
		c := Config{Frontend: Frontend{Listen: listen, PublicNames: []string{"mirror.example.com"}}}
		o := c.Origin()
		require.Equal(t, []string{"mirror.example.com"}, o.OwnNames, listen)
		require.Equal(t, tc.names, o.Services, listen)
		var want []netip.AddrPort
		for _, a := range tc.addrs {
			want = append(want, netip.MustParseAddrPort(a))
		}
		require.Equal(t, want, o.OwnAddrs, listen)
	}
	c := Default()
	require.Len(t, c.Origin().OwnAddrs, 3, "the listeners of a front end and a worker")
	c.Worker.CodecListen = "127.0.0.1:8083"
	require.Len(t, c.Origin().OwnAddrs, 4, "a codec server too")
}
