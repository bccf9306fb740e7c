package frontend_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// A client at its limit must not send other clients of the same object to the source: any of them
// pays.
func TestClientAtItsLimitStopsNoOther(t *testing.T) {
	for name, joined := range map[string]bool{"another client joins": true, "control: alone": false} {
		t.Run(name, func(t *testing.T) {
			free := make(chan struct{})
			f := newFixture(t, fromHeader, frozen, func(o *options) {
				o.flight.ColdRate, o.flight.ColdBurst, o.MaxWait = 1, 1, time.Minute
				o.flight.Pools[0].Bucket = slowBucket{&storagetest.Memory{}, free}
			})
			f.queue.copy = func(r queue.Request) {
				_ = f.cache.Put(context.Background(), cacheKey(r.URL), 0, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			}
			locations := make(chan string, 2)
			get := func(client string, waiting int) {
				r := httptest.NewRequest(http.MethodGet, path(""), nil)
				r.Header.Set("From", client)
				go func() {
					w := httptest.NewRecorder()
					f.handler.ServeHTTP(w, r)
					locations <- w.Header().Get("Location")
				}()
				f.awaitWaiting(t, waiting, 5*time.Second, "it does not wait")
			}
			// Alice has a token when her flight starts, and none when its copy would be requested.
			get(alice, 1)
			_, other := cold(1)
			require.NotContains(t, f.ask(t, "GET", other, "From", alice).raw, "msg")
			if joined {
				get(bob, 2)
			}
			close(free)
			if !joined {
				require.Equal(t, source, <-locations)
				require.Equal(t, 1, f.queue.requests(queue.Put))
				return
			}
			require.Equal(t, copyURL("GET"), <-locations)
			require.Equal(t, copyURL("GET"), <-locations)
			_, another := cold(2)
			require.Equal(t, "This client requests new copies too fast", f.ask(t, "GET", another, "From", bob).body["msg"], "bob has paid")
		})
	}
}

// TestFloodThatALimitRefuses has one client request variants that a closed gate or a host's limit
// refuses. The flood HEADs the bucket at most once for each token of the client.
func TestFloodThatALimitRefuses(t *testing.T) {
	const tokens, variants = 5, 50
	for name, edit := range map[string]func(*options){
		"backlog": gate(t, cache.Backlog{Tasks: 2000}),
		"host":    func(o *options) { o.flight.ColdRatePerHost, o.flight.ColdBurstPerHost = 1, 1 },
	} {
		for who, heads := range map[string]int{"one client": tokens, "control: many clients": variants} {
			t.Run(name+", "+who, func(t *testing.T) {
				f := newFixture(t, fromHeader, frozen, edit, func(o *options) {
					o.flight.ColdRate, o.flight.ColdBurst = 1, tokens
				})
				for i := range variants {
					source, target := cold(i)
					client := alice
					if who != "one client" {
						client = "198.51.100." + strconv.Itoa(i)
					}
					require.Equal(t, source, f.ask(t, "GET", target+"?max_wait=0", "From", client).location)
				}
				require.Equal(t, heads, f.bucket.Heads)
				requested := f.queue.requests(queue.Put)
				want := map[string]float64{name: float64(heads - requested), "client": float64(variants - heads)}
				if want["client"] == 0 {
					delete(want, "client")
				}
				require.Equal(t, want, f.limited(t))
			})
		}
	}
}

// A client that leaves at once still pays.
func TestClientThatLeavesPays(t *testing.T) {
	f := newFixture(t, frozen, func(o *options) { o.flight.ColdRate, o.flight.ColdBurst, o.MaxWait = 1, 1, time.Minute })
	f.leave(t, "GET", path(""))
	require.Eventually(t, func() bool { return f.queue.requests(queue.Put) == 1 }, 5*time.Second, time.Millisecond)
	source, target := cold(1)
	require.Equal(t, source, f.ask(t, "GET", target).location)
	require.Equal(t, 1, f.queue.requests(queue.Put))
}

// The client's and the host's limit do not apply to a list. The gate does, and closes for it at
// half the limit.
func TestLimitsOfLists(t *testing.T) {
	const list = `{"urls":["https://example.com/1","https://example.com/2","https://example.com/3"],"regions":["us-west-2"]}`
	// count returns how many of the list's three objects have the status, or the error's message.
	count := func(f *fixture, want string) (n int) {
		_, answers := f.warm(t, list, token)
		require.Len(t, answers, 3)
		for _, a := range answers {
			if a.Status == want || a.Error != nil && a.Error.Code == "ServiceUnavailable" && a.Error.Message == want {
				n++
			}
		}
		return n
	}
	const refused = "Too many copies wait to be made, try again"
	f := newFixture(t, frozen, func(o *options) {
		o.flight.ColdRate, o.flight.ColdBurst, o.flight.ColdRatePerHost, o.flight.ColdBurstPerHost = 1, 1, 1, 1
	})
	require.Equal(t, 3, count(f, "pending"))
	require.Equal(t, 3, f.queue.requests(queue.Put))

	f = newFixture(t, fromHeader, gate(t, cache.Backlog{Tasks: 600}))
	_, target := cold(1)
	require.Equal(t, "Cached copy did not show up in 0s", f.ask(t, "GET", target+"?max_wait=0", "From", alice).body["msg"], "open for clients")
	require.Equal(t, 3, count(f, refused))
	require.Equal(t, 1, f.queue.requests(queue.Put))
	require.Equal(t, map[string]float64{"backlog": 3}, f.limited(t))

	// Each refusal takes a turn: a refused list is no faster than an accepted list.
	f = newFixture(t, gate(t, cache.Backlog{Tasks: 600}), func(o *options) { o.flight.WarmRate = 10 })
	start := time.Now()
	require.Equal(t, 3, count(f, refused))
	require.GreaterOrEqual(t, time.Since(start), 190*time.Millisecond)
}
