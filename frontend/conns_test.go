package frontend_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// patient makes clients wait for longer than any test.
func patient(o *options) {
	o.MaxWait, o.MaxWaitLimit, o.Log = 5*time.Minute, 5*time.Minute, zerolog.Nop()
}

func TestWaiterWhoseClientLeaves(t *testing.T) {
	ping := request(http.MethodGet, "/v1/ping")
	reset := func(c *client) error {
		if err := c.SetLinger(0); err != nil {
			return err
		}
		return c.Close()
	}
	for name, tc := range map[string]struct {
		behind func(t *testing.T, c *client) // Sends data behind the request.
		leave  func(c *client) error
	}{
		"it closes":            {nil, (*client).close},
		"it resets":            {nil, reset},
		"it half-closes":       {nil, (*client).CloseWrite},
		"it pipelines, closes": {func(t *testing.T, c *client) { c.send(t, ping) }, (*client).close},
		"it pipelines, resets": {func(t *testing.T, c *client) { c.send(t, ping) }, reset},
		"it sends a byte, closes": {
			func(t *testing.T, c *client) { c.send(t, "G") }, (*client).close,
		},
		"it pipelines until it can't, closes": {func(t *testing.T, c *client) {
			require.NoError(t, c.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
			_, err := io.Copy(c, strings.NewReader(strings.Repeat(ping, 1_000_000)))
			require.ErrorContains(t, err, "timeout", "the window is not full")
		}, (*client).close},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, patient)
			c := dial(t, f.serve(t))
			c.send(t, request(http.MethodGet, path("")))
			f.awaitWaiting(t, 1, 5*time.Second, "it does not wait")
			if tc.behind != nil {
				tc.behind(t, c)
			}
			require.NoError(t, tc.leave(c))
			f.awaitWaiting(t, 0, time.Second, "its place is held")
			require.Equal(t, 1, f.queue.requests(queue.Put), "the copy is not requested")
			if strings.Contains(name, "half") { // It still reads.
				response, _ := c.receive(t, http.MethodGet, 5*time.Second)
				require.Equal(t, source, response.Header.Get("Location"))
			}
		})
	}
}

func (c *client) close() error { return c.Close() }

// A client that pipelines and stays gets both answers.
func TestWaiterThatPipelinesAndStays(t *testing.T) {
	f := newFixture(t, patient)
	c := dial(t, f.serve(t))
	c.send(t, request(http.MethodGet, path("")))
	f.awaitWaiting(t, 1, 5*time.Second, "it does not wait")
	c.send(t, request(http.MethodGet, "/v1/ping"))
	require.Never(t, func() bool { return f.waiting(t) == 0 }, time.Second, 10*time.Millisecond, "it was taken for gone")
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	response, _ := c.receive(t, http.MethodGet, 5*time.Second)
	require.Equal(t, copyURL("GET"), response.Header.Get("Location"))
	_, body := c.receive(t, http.MethodGet, 5*time.Second)
	require.Contains(t, body, "alive")
}

// flood pipelines requests until the front end stops reading them.
func flood(t *testing.T, c *client, target string) {
	t.Helper()
	require.NoError(t, c.SetReadBuffer(4096))
	requests := strings.Repeat(request(http.MethodGet, target), 1000)
	for {
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
		if _, err := io.WriteString(c, requests); err != nil {
			require.ErrorContains(t, err, "timeout", "the front end still reads")
			return
		}
	}
}

// A client that never reads its answers loses its connection.
func TestPipelineThatIsNeverRead(t *testing.T) {
	f := newFixture(t, patient, func(o *options) { o.ClientTimeout = time.Second })
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	address := f.serve(t)
	other := dial(t, address)
	c := dial(t, address)
	flood(t, c, path(""))
	require.Eventually(t, func() bool {
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Millisecond)))
		_, err := io.WriteString(c, "x")
		return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	}, 10*time.Second, 10*time.Millisecond, "the connection is held")
	require.InDelta(t, 1, f.metric(t, "cloud_mirror_open_connections"), 0)
	// A client that is merely idle for as long keeps its connection.
	other.send(t, request(http.MethodGet, path("")))
	response, _ := other.receive(t, http.MethodGet, 5*time.Second)
	require.Equal(t, 302, response.StatusCode)
}

// idle opens a connection and receives an answer on it.
func (f *fixture) idle(t *testing.T, address, from string) *client {
	t.Helper()
	c := dialFrom(t, address, from)
	c.send(t, request(http.MethodGet, path("")))
	response, _ := c.receive(t, http.MethodGet, 5*time.Second)
	require.Equal(t, copyURL("GET"), response.Header.Get("Location"))
	return c
}

func TestIdleConnectionsDoNotStarveHits(t *testing.T) {
	const limit = 100
	for name, tc := range map[string]struct {
		edit  func(*options)
		limit string // The label.
		open  int
	}{
		"all connections":           {func(o *options) { o.MaxConns = limit }, "all", limit},
		"those of one client":       {func(o *options) { o.MaxConnsPerClient = limit }, "client", limit + 1},
		"no limit reached, of all":  {func(o *options) { o.MaxConns = 10 * limit }, "", 5*limit + 2},
		"no limit reached, of each": {func(o *options) { o.MaxConnsPerClient = 10 * limit }, "", 5*limit + 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, tc.edit)
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			address := f.serve(t)
			neighbour := f.idle(t, address, "127.0.0.3")
			for range 5 * limit {
				f.idle(t, address, "127.0.0.2")
			}
			require.LessOrEqual(t, int(f.metric(t, "cloud_mirror_open_connections")), tc.open)
			// The neighbour keeps its old connection and its new one.
			neighbour.send(t, request(http.MethodGet, path("")))
			response, _ := neighbour.receive(t, http.MethodGet, 5*time.Second)
			require.Equal(t, 302, response.StatusCode)
			f.idle(t, address, "127.0.0.3")
			for _, label := range []string{"all", "client"} {
				closed := f.metric(t, "cloud_mirror_closed_connections_total", label)
				if label == tc.limit {
					require.GreaterOrEqual(t, closed, float64(4*limit))
				} else {
					require.Zero(t, closed)
				}
				require.Zero(t, f.metric(t, "cloud_mirror_refused_connections_total", label))
			}
			if tc.limit == "" {
				require.InDelta(t, tc.open, f.metric(t, "cloud_mirror_open_connections"), 0)
			}
		})
	}
}

// Waiting connections are not closed for new ones.
func TestWaitersKeepTheirConnections(t *testing.T) {
	f := newFixture(t, patient, func(o *options) { o.MaxConns, o.MaxConnsPerClient = 10, 5 })
	address := f.serve(t)
	var waiters []*client
	for i := range 10 {
		from := []string{"127.0.0.2", "127.0.0.3"}[i/5]
		c := dialFrom(t, address, from)
		c.send(t, request(http.MethodGet, path("")))
		waiters = append(waiters, c)
		f.awaitWaiting(t, i+1, 5*time.Second, "a client does not wait")
	}
	for from, label := range map[string]string{"127.0.0.2": "client", "127.0.0.4": "all"} {
		for range 3 {
			dialFrom(t, address, from).requireClosed(t, 5*time.Second)
		}
		require.InDelta(t, 3, f.metric(t, "cloud_mirror_refused_connections_total", label), 0)
	}
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	for _, c := range waiters {
		response, _ := c.receive(t, http.MethodGet, 5*time.Second)
		require.Equal(t, copyURL("GET"), response.Header.Get("Location"))
	}
	// They are idle now, so there is room.
	require.Eventually(t, func() bool {
		c := dialFrom(t, address, "127.0.0.4")
		_, _ = io.WriteString(c, request(http.MethodGet, path("")))
		return !c.closed(5 * time.Second)
	}, 5*time.Second, 10*time.Millisecond)
	require.InDelta(t, 1, f.metric(t, "cloud_mirror_closed_connections_total", "all"), 0)
}

// A front end stops while clients wait, idle and pipeline.
func TestStopWithGuardedConnections(t *testing.T) {
	f := newFixture(t, patient)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.handler.Run(ctx, l) }()
	idle := dial(t, l.Addr().String())
	idle.send(t, request(http.MethodGet, "/v1/ping"))
	idle.receive(t, http.MethodGet, 5*time.Second)
	c := dial(t, l.Addr().String())
	c.send(t, request(http.MethodGet, path(""))+"G")
	f.awaitWaiting(t, 1, 5*time.Second, "it does not wait")
	cancel()
	response, _ := c.receive(t, http.MethodGet, 5*time.Second)
	require.Equal(t, source, response.Header.Get("Location"))
	require.NoError(t, c.Close())
	require.NoError(t, <-ended)
	require.Zero(t, f.metric(t, "cloud_mirror_open_connections"))
}
