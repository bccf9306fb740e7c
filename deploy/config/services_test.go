package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServicesOfAConfiguration checks which servers no source may be.
func TestServicesOfAConfiguration(t *testing.T) {
	for name, tc := range map[string]struct {
		redis string
		want  []string
	}{
		"TLS":          {"rediss://u:p@Redis.internal:6380/0", []string{"Redis.internal:6380"}},
		"default port": {"redis://redis.internal", []string{"redis.internal:6379"}},
		"IPv6":         {"redis://[::1]:1/", []string{"[::1]:1"}},
		"no host":      {"redis://", []string{"localhost:6379"}},
		"port only":    {"redis://:6380", []string{"localhost:6380"}},
		"socket":       {"unix:///run/redis.sock", nil},
		"sentinels":    {"redis://s1:26379?master_name=main&addr=s2:26379&addr=[::1]:26379", []string{"s1:26379", "s2:26379", "[::1]:26379"}},
		"cluster":      {"rediss+cluster://u:p@n1?addr=n2:7000", []string{"n1:6379", "n2:7000"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, strings.Replace(minimal, "redis://:hunter2@localhost:6379/0", tc.redis, 1))
			require.NoError(t, err)
			require.Equal(t, tc.want, c.Origin().Services)
		})
	}
}
