package system

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/stretchr/testify/require"
)

func TestAdmin(t *testing.T) {
	registry := newRegistry()
	promauto.With(registry).NewCounter(prometheus.CounterOpts{Name: "test_total", Help: "A counter."}).Inc()
	l, err := listen(t.Context(), "frontend.admin_listen", "127.0.0.1:0")
	require.NoError(t, err)
	var down atomic.Bool
	ready := func() error {
		if down.Load() {
			return errors.New("shutting down")
		}
		return nil
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- runAdmin(ctx, l, registry, ready, nil) }()
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for _, tc := range []struct {
		request string
		down    bool
		status  int
		body    string
	}{
		{"GET /healthz", false, 200, "ok\n"},
		{"GET /readyz", false, 200, "ready\n"},
		{"GET /readyz", true, 503, "shutting down\n"},
		{"GET /healthz", true, 200, "ok\n"},
		{"GET /readyz", false, 200, "ready\n"},
		{"GET /metrics", false, 200, "\ntest_total 1\n"},
		{"GET /metrics", false, 200, "\ngo_goroutines "},
		{"GET /metrics", false, 200, "\nprocess_start_time_seconds "},
		{"POST /healthz", false, 405, ""},
		{"GET /v1/ping", false, 404, ""},
		{"GET /", false, 404, ""},
	} {
		t.Run(tc.request, func(t *testing.T) {
			down.Store(tc.down)
			method, path, _ := strings.Cut(tc.request, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, nil)
			require.NoError(t, err)
			resp, err := client.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, tc.status, resp.StatusCode)
			require.Equal(t, []string{"nosniff"}, resp.Header["X-Content-Type-Options"])
			require.Contains(t, "\n"+string(body), tc.body)
		})
	}
	stop()
	require.NoError(t, <-served)
	_, err = client.Get("http://" + l.Addr().String() + "/healthz")
	require.Error(t, err, "still serving")
}

// Neither idle connections nor bodies that never come keep an operator away.
func TestAdminWithIdleConnections(t *testing.T) {
	l, err := listen(t.Context(), "frontend.admin_listen", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- runAdmin(ctx, l, newRegistry(), func() error { return nil }, nil) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-served) })

	ask := func(request string) (answers *bufio.Reader) {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(c, request)
		require.NoError(t, err)
		return bufio.NewReader(c)
	}
	first := ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	line, err := first.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 200 OK\r\n", line)
	for range 2 * adminConns {
		line, err := ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 200 OK\r\n", line)
	}
	_, err = io.Copy(io.Discard, first)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the oldest connection is still open")

	const smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	for header, answers := range map[string]int{"": 2, "Transfer-Encoding: chunked\r\nContent-Length: 44\r\n": 1} {
		body := ""
		if header != "" {
			body = "0\r\n\r\n"
		}
		all, err := io.ReadAll(ask("GET /healthz HTTP/1.1\r\nHost: x\r\n" + header + "\r\n" + body +
			strings.Replace(smuggled, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)))
		require.NoError(t, err)
		require.Equal(t, answers, strings.Count(string(all), "HTTP/1.1 200 OK"), header)
	}

	for _, target := range []string{"GET /healthz", "OPTIONS *"} {
		_, err = io.Copy(io.Discard, ask(target+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"))
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%s: a body that never comes holds its connection", target)
	}
}
