package region_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

func TestClientAddr(t *testing.T) {
	const peer = "192.0.2.1:567"
	header := func(lines ...string) []string { return lines }
	for name, tc := range map[string]struct {
		peer   string
		header []string
		hops   int
		want   string // empty is not known
	}{
		"the peer":                               {peer, nil, 0, "192.0.2.1"},
		"the peer, the header is ignored":        {peer, header("203.0.113.9"), 0, "192.0.2.1"},
		"the peer, IPv6":                         {"[2001:db8::1]:567", nil, 0, "2001:db8::1"},
		"the peer, mapped IPv4":                  {"[::ffff:192.0.2.1]:567", nil, 0, "192.0.2.1"},
		"the peer, with a zone":                  {"[fe80::1%eth0]:567", nil, 0, "fe80::1"},
		"the peer, a unix socket":                {"@", header("203.0.113.9"), 0, ""},
		"one proxy":                              {peer, header("198.51.100.1"), 1, "198.51.100.1"},
		"one proxy, a forged entry":              {peer, header("203.0.113.9, 198.51.100.1"), 1, "198.51.100.1"},
		"one proxy, a forged line":               {peer, header("203.0.113.9", "198.51.100.1"), 1, "198.51.100.1"},
		"one proxy, many forged entries":         {peer, header("203.0.113.9,203.0.113.9,,", "203.0.113.9", "x,198.51.100.1"), 1, "198.51.100.1"},
		"one proxy, no header":                   {peer, nil, 1, ""},
		"one proxy, an empty line":               {peer, header(""), 1, ""},
		"one proxy, it appends nothing":          {peer, header("203.0.113.9, "), 1, ""},
		"one proxy, it appends an empty line":    {peer, header("203.0.113.9", ""), 1, ""},
		"two proxies":                            {peer, header("198.51.100.1, 192.0.2.2"), 2, "198.51.100.1"},
		"two proxies, on two lines":              {peer, header("198.51.100.1", "192.0.2.2"), 2, "198.51.100.1"},
		"two proxies, forged":                    {peer, header("203.0.113.9, 198.51.100.1", "192.0.2.2"), 2, "198.51.100.1"},
		"two proxies, the first is bypassed":     {peer, header("198.51.100.1"), 2, ""},
		"two proxies, the first appends nothing": {peer, header("203.0.113.9, , 192.0.2.2"), 2, ""},
		"three proxies, two entries":             {peer, header("198.51.100.1", "192.0.2.2"), 3, ""},
		"with a port":                            {peer, header("198.51.100.1:567"), 1, "198.51.100.1"},
		"with a bad port":                        {peer, header("198.51.100.1:x"), 1, ""},
		"IPv6":                                   {peer, header("2001:db8::1"), 1, "2001:db8::1"},
		"IPv6 with an end like a port":           {peer, header("2001:db8::1:567"), 1, "2001:db8::1:567"},
		"IPv6 with a port":                       {peer, header("[2001:db8::1]:567"), 1, "2001:db8::1"},
		"IPv6 in brackets":                       {peer, header("[2001:db8::1]"), 1, "2001:db8::1"},
		"IPv6 with an unclosed bracket":          {peer, header("[2001:db8::1"), 1, ""},
		"IPv6 with a zone":                       {peer, header("fe80::1%eth0"), 1, "fe80::1"},
		"mapped IPv4":                            {peer, header("::ffff:198.51.100.1"), 1, "198.51.100.1"},
		"spaces":                                 {peer, header("203.0.113.9 ,\t198.51.100.1 \t"), 1, "198.51.100.1"},
		"a name":                                 {peer, header("203.0.113.9, unknown"), 1, ""},
		"a name left of the client":              {peer, header("unknown, 198.51.100.1"), 1, "198.51.100.1"},
		"an address and more text":               {peer, header("198.51.100.1 203.0.113.9"), 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := region.ClientAddr(tc.peer, tc.header, tc.hops)
			require.Equal(t, tc.want != "", ok)
			if ok {
				require.Equal(t, tc.want, got.String())
			}
		})
	}
}

func TestClientOf(t *testing.T) {
	for name, tc := range map[string]struct{ address, want string }{
		"IPv4":                  {"192.0.2.1", "192.0.2.1"},
		"another IPv4 address":  {"192.0.2.2", "192.0.2.2"},
		"IPv4, mapped":          {"::ffff:192.0.2.1", "192.0.2.1"},
		"IPv4, all zeros":       {"0.0.0.0", "0.0.0.0"},
		"IPv6":                  {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		"another host of a /64": {"2001:db8:1:2:ffff::1", "2001:db8:1:2::"},
		"another /64":           {"2001:db8:1:3::1", "2001:db8:1:3::"},
		"with a zone":           {"fe80::1%eth0", "fe80::"},
		"the /64 of all zeros":  {"::", "::"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, region.ClientOf(netip.MustParseAddr(tc.address)).String())
		})
	}
	require.False(t, region.ClientOf(netip.Addr{}).IsValid())
}

func TestClient(t *testing.T) {
	for name, tc := range map[string]struct {
		peer      string
		forwarded []string
		hops      int
		want      string
	}{
		"peer":                             {"192.0.2.1:567", nil, 0, "192.0.2.1"},
		"peer, and the client's own claim": {"192.0.2.1:567", []string{"198.51.100.7"}, 0, "192.0.2.1"},
		"one proxy":                        {"192.0.2.1:567", []string{"198.51.100.7"}, 1, "198.51.100.7"},
		"one proxy, and a claim":           {"192.0.2.1:567", []string{"203.0.113.9, 198.51.100.7"}, 1, "198.51.100.7"},
		"two proxies":                      {"192.0.2.1:567", []string{"203.0.113.9, 198.51.100.7", "192.0.2.2"}, 2, "198.51.100.7"},
		"fewer entries than proxies":       {"192.0.2.1:567", []string{"198.51.100.7"}, 2, "192.0.2.1"},
		"an entry that is no address":      {"192.0.2.1:567", []string{"unknown"}, 1, "192.0.2.1"},
		"no entry":                         {"192.0.2.1:567", nil, 1, "192.0.2.1"},
		"IPv6: its /64":                    {"[2001:db8:1:2:3:4:5:6]:567", nil, 0, "2001:db8:1:2::"},
		"IPv6 behind a proxy":              {"192.0.2.1:567", []string{"2001:db8:1:2:3:4:5:6"}, 1, "2001:db8:1:2::"},
		"no IP address":                    {"@", nil, 0, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tc.peer
			for _, line := range tc.forwarded {
				r.Header.Add("X-Forwarded-For", line)
			}
			require.Equal(t, tc.want, region.Client(r, tc.hops).String())
		})
	}
}
