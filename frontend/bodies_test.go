package frontend_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// routes returns request lines of all routes, and of unknown routes. Paths of copies are known
// paths.
func routes() map[string]string {
	return map[string]string{
		"GET redirect": "GET " + path(""), "HEAD redirect": "HEAD " + path(""),
		"GET redirect, cold": "GET " + path("x"), "HEAD redirect, cold": "HEAD " + path("x"),
		"GET status":           "GET " + strings.Replace(path(""), "redirect", "status", 1),
		"GET ping":             "GET /v1/ping",
		"GET api-reference":    "GET /v1/api-reference",
		"DELETE purge":         "DELETE " + strings.Replace(path(""), "redirect", "purge", 1),
		"OPTIONS redirect":     "OPTIONS " + path(""),
		"OPTIONS of all":       "OPTIONS *",
		"POST redirect":        "POST " + path(""),
		"GET copies":           "GET /v1/copies",
		"PUT copies":           "PUT /v1/copies",
		"POST copies/":         "POST /v1/copies/",
		"POST copies, escaped": "POST /v1%2Fcopies", "POST copies, an escaped letter": "POST /v1/copie%73",
		"POST copies, all":   "POST http://x/v1%2fcopies",
		"GET of no route":    "GET /nothing",
		"TRACE of all":       "TRACE /",
		"an unusual method":  "BREW /v1/ping",
		"redirect, an error": "GET /v1/redirect/s3/mars-1/x",
	}
}

func TestBodyOnARouteWithoutOne(t *testing.T) {
	kinds := map[string]struct{ header, body string }{
		"that never comes":            {"Content-Length: 1", ""},
		"that is sent":                {"Content-Length: 5", "GET /"},
		"that is longer than drained": {"Content-Length: 1048576", strings.Repeat("x", 1<<20)},
		"of unknown length":           {"Transfer-Encoding: chunked", ""},
		"in chunks":                   {"Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n"},
		"after a 100 that won't come": {"Content-Length: 1\r\nExpect: 100-continue", ""},
	}
	for name, line := range routes() {
		method, target, _ := strings.Cut(line, " ")
		for kind, sent := range kinds {
			if len(sent.body) != 5 && kind != "in chunks" && !strings.HasPrefix(name, "GET redirect") &&
				name != "OPTIONS of all" && name != "POST copies, escaped" {
				continue // These take half a second each.
			}
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, func(o *options) { o.MaxWait, o.MaxWaitLimit = time.Minute, time.Minute })
				f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
				f.ask(t, http.MethodGet, path("")) // The path is known now.
				c := dial(t, f.serve(t))
				c.send(t, request(method, target, sent.header, "Authorization: Bearer "+token))
				go func() { _, _ = c.Write([]byte(sent.body)) }()
				response, body := c.receive(t, method, time.Second)
				require.Equal(t, 400, response.StatusCode, body)
				require.True(t, response.Close, "the connection is kept")
				if method != http.MethodHead {
					require.JSONEq(t, `{"code":"InputError","message":"This route takes no body: send neither Content-Length nor Transfer-Encoding"}`, body)
				}
				c.requireClosed(t, 2*time.Second)
				require.Zero(t, f.queue.requests(queue.Put)+f.queue.requests(queue.Cancel))
				require.InDelta(t, 1, f.metric(t, "cloud_mirror_refused_bodies_total"), 0)
			})
		}
		t.Run(name+", without a body", func(t *testing.T) { // The positive control.
			t.Parallel()
			f := newFixture(t)
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			f.ask(t, http.MethodGet, path(""))
			c := dial(t, f.serve(t))
			c.send(t, request(method, target, "Content-Length: 0")+request(http.MethodGet, "/v1/ping"))
			response, _ := c.receive(t, method, 5*time.Second)
			require.False(t, response.Close)
			response, body := c.receive(t, http.MethodGet, 5*time.Second)
			require.Equal(t, 200, response.StatusCode, "the connection is not kept")
			require.Contains(t, body, `"alive":true`)
			require.Zero(t, f.metric(t, "cloud_mirror_refused_bodies_total"))
		})
	}
}

// A client that trickles its body gets its answer at once, and loses its connection soon after.
func TestBodyThatTrickles(t *testing.T) {
	f := newFixture(t)
	c := dial(t, f.serve(t))
	c.send(t, request(http.MethodGet, "/v1/ping", "Content-Length: 100000"))
	ended := make(chan time.Duration, 1)
	go func() {
		start, tick := time.Now(), time.NewTicker(20*time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := c.Write([]byte("x")); err != nil {
				ended <- time.Since(start)
				return
			}
		}
	}()
	response, _ := c.receive(t, http.MethodGet, time.Second)
	require.Equal(t, 400, response.StatusCode)
	require.Less(t, <-ended, 5*time.Second)
}

// Clients that announce a body and leave free their waiting places at once.
func TestBodiesThatNeverComeHoldNoWaitingPlace(t *testing.T) {
	const clients = 300
	f := newFixture(t, func(o *options) {
		o.MaxWait, o.MaxWaitLimit, o.flight.MaxWaiters = 5*time.Minute, 5*time.Minute, clients
	})
	address := f.serve(t)
	for range clients {
		c := dial(t, address)
		c.send(t, request(http.MethodGet, path(""), "Content-Length: 1"))
		require.NoError(t, c.Close())
	}
	require.Eventually(t, func() bool {
		return f.metric(t, "cloud_mirror_refused_bodies_total") == clients
	}, 20*time.Second, time.Millisecond, "control: all requests are served")
	// Another client finds a place within a second.
	require.Eventually(t, func() bool { return f.waiting(t) == 0 }, time.Second, time.Millisecond, "places are held")
	c := dial(t, address)
	c.send(t, request(http.MethodGet, path("")))
	f.awaitWaiting(t, 1, time.Second, "no place for another client")
}

// The rest of a list must never be parsed as a request. A list without the token must not hold its
// connection.
func TestConnectionOfAListIsClosed(t *testing.T) {
	line := `{"url":"` + source + `","regions":["us-west-2"]}` + "\n"
	for name, tc := range map[string]struct {
		token, header, body string
		status              int
	}{
		"a whole list":           {token, "Content-Length: " + strconv.Itoa(len(line)), line, 200},
		"in chunks":              {token, "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(line), line), 200},
		"without the token":      {"x", "Content-Length: 100", "", 401},
		"chunks, without it":     {"x", "Transfer-Encoding: chunked", "", 401},
		"with two lengths of it": {token, "Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			c := dial(t, f.serve(t))
			c.send(t, request(http.MethodPost, "/v1/copies", "Authorization: Bearer "+tc.token, tc.header)+tc.body)
			if tc.status == 200 {
				c.send(t, request(http.MethodGet, "/v1/ping"))
			}
			response, _ := c.receive(t, http.MethodPost, 5*time.Second)
			require.Equal(t, tc.status, response.StatusCode)
			require.True(t, response.Close)
			c.requireClosed(t, 2*time.Second)
		})
	}
}
