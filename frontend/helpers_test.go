package frontend_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
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

// metric returns the value of a metric's series with exactly these label values, in the order of the
// labels' names.
func (f *fixture) metric(t testing.TB, name string, values ...string) float64 {
	t.Helper()
	families, err := f.metrics.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if family.GetName() == name && strings.Join(labels, " ") == strings.Join(values, " ") {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	require.Fail(t, "no such metric", "%s %v", name, values)
	return 0
}

func (f *fixture) waiting(t testing.TB) int { return int(f.metric(t, "cloud_mirror_waiting_clients")) }

// awaitWaiting waits until n clients wait.
func (f *fixture) awaitWaiting(t testing.TB, n int, within time.Duration, msg string) {
	t.Helper()
	require.Eventually(t, func() bool { return f.waiting(t) == n }, within, 5*time.Millisecond, msg)
}

// limited returns the non-zero values of cloud_mirror_limited_requests_total, by limit. It requires
// a series for each limit.
func (f *fixture) limited(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := f.metrics.Gather()
	require.NoError(t, err)
	found, nonzero := 0, map[string]float64{}
	for _, family := range families {
		if family.GetName() != "cloud_mirror_limited_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			found++
			if v := m.GetCounter().GetValue(); v > 0 {
				nonzero[m.GetLabel()[0].GetValue()] = v
			}
		}
	}
	require.Equal(t, len(flight.AllLimits()), found, "limits that start at zero")
	return nonzero
}

// cold returns the nth of many sources, and its path.
func cold(n int) (source, path string) {
	source = "https://example.com/cold/" + strconv.Itoa(n)
	return source, "/v1/redirect/s3/us-west-2/" + url.QueryEscape(source)
}

// wait has a client wait for an object until the test ends.
func (f *fixture) wait(t *testing.T, target, client string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended })
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target+"?max_wait=1m", nil)
	r.Header.Set("From", client)
	go func() {
		defer close(ended)
		f.handler.ServeHTTP(httptest.NewRecorder(), r)
	}()
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
