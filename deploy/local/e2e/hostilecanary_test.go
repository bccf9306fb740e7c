package e2e

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// canary is a server that the product must never connect to. It counts connections.
type canary struct {
	addr, port string

	mu       sync.Mutex
	conns    int
	requests []string
}

// newCanary starts a canary, and connects to it once to prove that it counts.
func newCanary(t *testing.T, ip string) *canary {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	require.NoError(t, err)
	c := &canary{addr: listener.Addr().String()}
	_, c.port, err = net.SplitHostPort(c.addr)
	require.NoError(t, err)
	server := &http.Server{Handler: c, ConnState: c.count}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(listener) }()
	resp, err := http.Get("http://" + c.addr + "/control")
	require.NoError(t, err)
	resp.Body.Close()
	conns, requests := c.seen()
	require.Equal(t, 1, conns, "positive control of %s", c.addr)
	require.Equal(t, []string{"GET /control"}, requests, "positive control of %s", c.addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns, c.requests = 0, nil
	return c
}

func (c *canary) count(_ net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateNew {
		c.conns++
	}
}

func (c *canary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r.Method+" "+r.RequestURI)
	_, _ = w.Write([]byte("credentials"))
}

// seen returns the number of connections and the requests so far.
func (c *canary) seen() (conns int, requests []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conns, slices.Clone(c.requests)
}
