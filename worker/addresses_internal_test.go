package worker

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressesOfTemporal(t *testing.T) {
	for target, want := range map[string][]string{
		"temporal.example.com:7233":               {"temporal.example.com:7233"},
		"127.0.0.1:7233":                          {"127.0.0.1:7233"},
		"[::1]:7233":                              {"[::1]:7233"},
		"temporal.example.com":                    {"temporal.example.com:443"},
		"dns:///temporal.example.com:7233":        {"temporal.example.com:7233"},
		"dns:temporal.example.com:7233":           {"temporal.example.com:7233"},
		"dns://8.8.8.8/temporal.example.com:7233": {"temporal.example.com:7233"},
		"dns:///temporal.example.com":             {"temporal.example.com:443"},
		"dns:///[2001:db8::1]":                    {"[2001:db8::1]:443"},
		"passthrough:///10.0.0.1:7233":            {"10.0.0.1:7233"},
		"ipv4:10.0.0.1:7233,10.0.0.2:7234":        {"10.0.0.1:7233", "10.0.0.2:7234"},
		"ipv6:[2001:db8::1]:7233":                 {"[2001:db8::1]:7233"},
		"unix:///run/temporal.sock":               nil,
		"dns":                                     {"dns:443"},
	} {
		t.Run(target, func(t *testing.T) {
			got, err := addressesOf(target)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
	for _, target := range []string{"", "https://temporal.example.com:7233", "dns:///", "user@temporal.example.com:7233"} {
		_, err := addressesOf(target)
		require.ErrorContains(t, err, "TEMPORAL_ADDRESS", target)
	}
}
