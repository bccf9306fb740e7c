package config

import (
	"cmp"
	"net"
	"net/url"
)

// services returns the servers that sources must not be, as host:port: the servers in the URL of
// redis, and listeners with a name. The addresses of SQS and Temporal depend on the environment: the
// caller adds them. Masters that sentinels name, and other nodes of a cluster, are unknown here.
func (c *Config) services() []string {
	return append(c.namedListeners(), redisAddresses(c.Redis.URL)...)
}

// redisAddresses returns each host and port in a URL of redis, as the redis library reads them:
// those of the server, of the sentinels, or of nodes of the cluster. There are none if the URL names
// a socket.
func redisAddresses(raw string) (all []string) {
	u, err := url.Parse(raw)
	if err != nil || raw == "" || u.Scheme == "unix" {
		return nil
	}
	all = append(all, net.JoinHostPort(cmp.Or(u.Hostname(), "localhost"), cmp.Or(u.Port(), "6379")))
	return append(all, u.Query()["addr"]...)
}
