package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
)

// NewClient returns a client that connects from a loopback address, with a limit of idle
// connections and of the time of a request.
func NewClient(from string, idle int, patience time.Duration) *http.Client {
	c := client.New(&http.Transport{DialContext: DialFrom(from), DisableCompression: true, MaxIdleConnsPerHost: idle})
	c.Timeout = patience
	return c
}

// DialFrom returns a dialler that connects from a loopback address.
func DialFrom(address string) func(ctx context.Context, network, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
	return d.DialContext
}

// Drain reads the body, so that the connection can be used again.
func Drain(resp *http.Response) { _, _ = io.Copy(io.Discard, resp.Body) }
