package frontend_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serve runs the front end on a listener of its own, as the binary does, and returns its address.
func (f *fixture) serve(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.handler.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return l.Addr().String()
}

// metric returns the sum of a metric over the labels that contain all of the values.
func (f *fixture) metric(t testing.TB, name string, values ...string) (sum float64) {
	t.Helper()
	families, err := f.metrics.Gather()
	require.NoError(t, err)
	found := false
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if family.GetName() == name && strings.Join(labels, " ") == strings.Join(values, " ") {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
				found = true
			}
		}
	}
	require.True(t, found, "no metric %s %v", name, values)
	return sum
}

func (f *fixture) waiting(t testing.TB) int { return int(f.metric(t, "cloud_mirror_waiting_clients")) }

// awaitWaiting waits until n clients wait.
func (f *fixture) awaitWaiting(t testing.TB, n int, within time.Duration, msg string) {
	t.Helper()
	require.Eventually(t, func() bool { return f.waiting(t) == n }, within, 5*time.Millisecond, msg)
}

// client is a client's connection.
type client struct {
	*net.TCPConn
	answers *bufio.Reader
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	return dialFrom(t, address, "127.0.0.1")
}

// dialFrom connects from one of the loopback addresses.
func dialFrom(t testing.TB, address, from string) *client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return &client{TCPConn: c.(*net.TCPConn), answers: bufio.NewReader(c)}
}

func (c *client) send(t testing.TB, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

// request returns a request in wire format.
func request(method, target string, header ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: mirror\r\n%s\r\n", method, target, strings.Join(append(header, ""), "\r\n"))
}

// receive reads the next answer to a method and its body, which must arrive in time.
func (c *client) receive(t testing.TB, method string, within time.Duration) (*http.Response, string) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(within)))
	response, err := http.ReadResponse(c.answers, &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

// requireClosed requires that the connection ends, in time and without another answer.
func (c *client) requireClosed(t testing.TB, within time.Duration) {
	t.Helper()
	require.True(t, c.closed(within), "the connection is open, or had another answer")
}

func (c *client) closed(within time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(within))
	n, err := c.answers.Read(make([]byte, 1))
	return n == 0 && err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}
