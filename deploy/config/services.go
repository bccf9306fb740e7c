package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// services returns the servers that sources must not be, as host:port: redis and SQS. Temporal's
// address is not a setting: the caller adds it.
func (c *Config) services() []string {
	all := []string{serviceOf(c.Redis.URL, "6379"), serviceOf(c.SQS.Endpoint, "443")}
	if c.SQS.Endpoint == "" && c.SQS.Region != "" {
		all = append(all, SQSHost(c.SQS.Region))
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// SQSHost returns the host and port of AWS's SQS in a region, see
// https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
func SQSHost(region string) string {
	host := "sqs." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		host += ".cn"
	}
	return host + ":443"
}

// serviceOf returns the host and port of a URL, or "" if it has none: a URL of redis may name a
// socket instead.
func serviceOf(raw, defaultPort string) string {
	u, err := url.Parse(raw)
	if err != nil || raw == "" || u.Scheme == "unix" {
		return ""
	}
	host, port := u.Hostname(), u.Port()
	switch {
	case host == "":
		host = "localhost" // As the redis library does.
	case port == "" && u.Scheme == "http":
		port = "80"
	}
	if port == "" {
		port = defaultPort
	}
	return net.JoinHostPort(host, port)
}
