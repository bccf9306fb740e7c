package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServicesOfAConfiguration checks which servers no source may be.
func TestServicesOfAConfiguration(t *testing.T) {
	for name, tc := range map[string]struct {
		redis, sqs string
		want       []string
	}{
		"AWS":              {"rediss://u:p@Redis.internal:6380/0", "{region: us-west-2}", []string{"Redis.internal:6380", "sqs.us-west-2.amazonaws.com:443"}},
		"China":            {"redis://redis.internal", "{region: cn-north-1}", []string{"redis.internal:6379", "sqs.cn-north-1.amazonaws.com.cn:443"}},
		"endpoints":        {"redis://[::1]:1/", "{endpoint: 'http://127.0.0.1:9324'}", []string{"[::1]:1", "127.0.0.1:9324"}},
		"default ports":    {"redis://", "{endpoint: 'http://sqs.internal'}", []string{"localhost:6379", "sqs.internal:80"}},
		"https":            {"redis://h", "{endpoint: 'https://sqs.internal/'}", []string{"h:6379", "sqs.internal:443"}},
		"socket, no queue": {"unix:///run/redis.sock", "{}", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(minimal, "redis://:hunter2@localhost:6379/0", tc.redis, 1) + "sqs: " + tc.sqs + "\n"
			c, err := load(t, text)
			require.NoError(t, err)
			require.Equal(t, tc.want, c.Origin().Services)
		})
	}
}
