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
		":http":               {nil, []string{"[::]:80"}},
		"nonsense":            {nil, nil},
	} {
		c := Config{Frontend: Frontend{Listen: listen, PublicNames: []string{"mirror.example.com"}}}
		names, addrs := c.own()
		require.Equal(t, append([]string{"mirror.example.com"}, tc.names...), names, listen)
		var want []netip.AddrPort
		for _, a := range tc.addrs {
			want = append(want, netip.MustParseAddrPort(a))
		}
		require.Equal(t, want, addrs, listen)
	}
	c := Default()
	_, addrs := c.own()
	require.Len(t, addrs, 3, "the listeners of a front end and a worker")
}

// TestLoopIDIsOfTheDeployment checks that all processes of a deployment have one id, and that other
// deployments have other ids.
func TestLoopIDIsOfTheDeployment(t *testing.T) {
	base := func() Config {
		c := Default()
		c.Pools = []Pool{{Region: "us-west-2", Bucket: "mirror-us-west-2"}}
		return c
	}
	one := base()
	id := one.LoopID()
	require.Regexp(t, `^cloud-mirror-[0-9a-f]{12}$`, id)
	for name, edit := range map[string]func(*Config){
		"a worker":     func(c *Config) { c.Worker.Pools, c.Worker.AdminListen = []string{"s3_us-west-2"}, ":1" },
		"a front end":  func(c *Config) { c.Frontend.Listen = ":1" },
		"another pool": func(c *Config) { c.Pools = append(c.Pools, Pool{Region: "us-east-1"}) },
	} {
		c := base()
		edit(&c)
		require.Equal(t, id, c.LoopID(), name)
	}
	for name, edit := range map[string]func(*Config){
		"queue":  func(c *Config) { c.SQS.Queue = "other" },
		"bucket": func(c *Config) { c.Pools[0].Bucket = "other" },
		"name":   func(c *Config) { c.Frontend.LoopID = "other" },
	} {
		c := base()
		edit(&c)
		require.NotEqual(t, id, c.LoopID(), name)
	}
}
