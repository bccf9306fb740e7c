package config

import (
	"cmp"
	"net"
	"net/url"
)

// services returns the servers that sources must not be, as host:port: redis, and listeners with a
// name. The addresses of SQS and Temporal depend on the environment: the caller adds them.
func (c *Config) services() []string {
	all := c.namedListeners()
	if redis := redisAddress(c.Redis.URL); redis != "" {
		all = append(all, redis)
	}
	return all
}

// redisAddress returns the host and port in a URL of redis, as the redis library reads it. It is
// empty if the URL names a socket.
func redisAddress(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || raw == "" || u.Scheme == "unix" {
		return ""
	}
	return net.JoinHostPort(cmp.Or(u.Hostname(), "localhost"), cmp.Or(u.Port(), "6379"))
}
