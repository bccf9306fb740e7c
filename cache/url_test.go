package cache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// TestURLs checks which URLs are accepted. Each bad one has the secret in every place that a URL
// has, and no error may contain it.
func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		// One server.
		"redis://localhost":                        "",
		"redis://user:hunter2@localhost:6379/3":    "",
		"rediss://:hunter2@localhost":              "",
		"unix:///run/redis.sock?db=3":              "",
		"redis://localhost?db=2&protocol=2":        "",
		"redis://:hunter2/x@localhost:6379/0":      "is not a URL such as redis://",
		"redis://:hunter2%zz@localhost/":           "is not a URL such as redis://",
		"hunter2://x":                              "is not a URL such as redis://",
		"redis://localhost?hunter2=1":              "is not a URL such as redis://",
		"redis://localhost?addr=hunter2:6379":      "sentinels need master_name, and a cluster needs the scheme redis+cluster",
		"redis://localhost/0?addr=a:1&sentinel=no": "sentinels need master_name",

		// Sentinels. The user and the password before the host are theirs.
		"redis://localhost:26379?master_name=main":                                         "",
		"redis://u:hunter2@a:1/3?master_name=main&addr=b:2&username=user&password=hunter2": "",
		"rediss://a:1?master_name=main&skip_verify=true":                                   "",
		"redis://:hunter2@a:1?master_name=":                                                "has an empty master_name",
		"redis://:hunter2@a:1?master_name=main&addr=hunter2":                               "is not a URL of sentinels",
		"redis://:hunter2@a:1?master_name=main&sentinel_password=hunter2":                  "is not a URL of sentinels",
		"redis://:hunter2@a:1/hunter2?master_name=main":                                    "is not a URL of sentinels",
		"unix:///run/hunter2?master_name=main":                                             "is not a URL of sentinels",
		"redis://:hunter2@a:1?master_name=main&route_by_latency=true":                      "sends reads to replicas",
		"redis://:hunter2@a:1?master_name=main&route_randomly=true":                        "sends reads to replicas",
		"redis://:hunter2@a:1?master_name=main&replica_only=true":                          "sends reads to replicas",

		// A cluster.
		"redis+cluster://localhost:6379":                                  "",
		"redis+cluster://user:hunter2@a:1/?addr=b:2&addr=c:3&pool_size=3": "",
		"rediss+cluster://:hunter2@a:1":                                   "",
		"redis+cluster://:hunter2@a:1/0":                                  "a cluster has only database 0",
		"redis+cluster://:hunter2@a:1?db=3":                               "a cluster has only database 0",
		"redis+cluster://:hunter2@a:1?master_name=main":                   "a cluster has no sentinels",
		"redis+cluster://:hunter2@a:1?read_only=true":                     "sends reads to replicas",
		"redis+cluster://:hunter2@a:1?addr=hunter2":                       "is not a URL of a cluster",
		"redis+cluster://:hunter2@a:1?hunter2=1":                          "is not a URL of a cluster",
		"unix+cluster:///run/hunter2":                                     "a cluster has only database 0",
		"hunter2+cluster://a:1":                                           "is not a URL of a cluster",
	} {
		c, err := cache.Open(url, cache.Options{Undecodable: func() {}})
		if want == "" {
			require.NoError(t, err, url)
			require.NoError(t, c.Close())
			continue
		}
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "\n")
	}
}
