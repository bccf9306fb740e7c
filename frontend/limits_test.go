package frontend_test

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// Addresses of clients.
const (
	alice = "192.0.2.1"
	bob   = "192.0.2.2"
)

// fromHeader takes the client's address from the header From.
func fromHeader(o *options) {
	o.ClientOf = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("From")) }
}

// frozen stops the clock of the flights.
func frozen(o *options) {
	now := time.Now()
	o.flight.Now = func() time.Time { return now }
}

// fixedBacklog is the backlog of us-west-2.
type fixedBacklog struct {
	cache.Backlog
	reads chan struct{}
}

func (b fixedBacklog) Backlogs(ctx context.Context, _ []string) (map[string]cache.Backlog, error) {
	select {
	case b.reads <- struct{}{}:
	case <-ctx.Done():
	}
	return map[string]cache.Backlog{"s3_us-west-2": b.Backlog}, nil
}

// gate closes the pool us-west-2 for clients, or only for lists.
func gate(t *testing.T, b cache.Backlog) func(o *options) {
	t.Helper()
	return func(o *options) {
		reads := make(chan struct{})
		o.flight.Gate = flight.NewGate(flight.GateOptions{
			Backlogs: fixedBacklog{b, reads}, Pools: []string{"s3_us-west-2", "s3_us-east-1"}, MaxTasks: 1000, Log: zerolog.Nop(),
		})
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		go o.flight.Gate.Run(ctx)
		for range 2 { // The second read begins after the first has closed the gate.
			<-reads
		}
	}
}

func TestLimits(t *testing.T) {
	_, first := cold(1)
	_, second := cold(2)
	type prepare func(*testing.T, *fixture)
	ask := func(client string, targets ...string) prepare {
		return func(t *testing.T, f *fixture) {
			for _, target := range targets {
				require.Equal(t, "Cached copy did not show up in 0s", f.ask(t, "GET", target+"?max_wait=0", "From", client).body["msg"], "control")
			}
		}
	}
	wait := func(client string, targets ...string) prepare {
		return func(t *testing.T, f *fixture) {
			for i, target := range targets {
				f.wait(t, target, client)
				require.Eventually(t, func() bool { return f.queue.requests(queue.Put) == min(i+1, 2) }, 5*time.Second, time.Millisecond)
			}
		}
	}
	for name, tc := range map[string]struct {
		edit       func(*options)
		prepare    prepare
		again      string // The path of the request, by alice; a new one if it is empty.
		limit      string
		status     int
		retryAfter string
		code, text string
	}{
		"copies of a client": {
			edit:    func(o *options) { o.flight.ColdRate, o.flight.ColdBurst = 1, 2 },
			prepare: ask(alice, first, second),
			limit:   "client", status: 429, retryAfter: "1", code: "TooManyRequests", text: "This client requests new copies too fast",
		},
		"copies from a host": {
			edit:    func(o *options) { o.flight.ColdRatePerHost, o.flight.ColdBurstPerHost = 1, 2 },
			prepare: ask(bob, first, second),
			limit:   "host", status: 503, retryAfter: "1", code: "ServiceUnavailable", text: "New copies from this host are requested too fast",
		},
		"backlog": {
			edit:  gate(t, cache.Backlog{Tasks: 2000, Rate: 100}),
			limit: "backlog", status: 503, retryAfter: "12", code: "ServiceUnavailable", text: "Too many copies wait to be made",
		},
		"waiters": {
			edit:    func(o *options) { o.flight.MaxWaiters, o.flight.MaxWaitersPerObject = 2, 2 },
			prepare: wait(bob, first, second),
			limit:   "waiters", status: 503, retryAfter: "1", code: "ServiceUnavailable", text: "Too many clients wait for copies",
		},
		"waiters of a client": {
			edit:    func(o *options) { o.flight.MaxWaitersPerClient = 2 },
			prepare: wait(alice, first, second),
			limit:   "waiters_per_client", status: 429, retryAfter: "1", code: "TooManyRequests", text: "Too many requests of this client wait for copies",
		},
		"waiters for an object": {
			edit:    func(o *options) { o.flight.MaxWaitersPerObject = 1 },
			prepare: wait(bob, first),
			again:   first,
			limit:   "waiters_per_object", status: 503, retryAfter: "1", code: "ServiceUnavailable", text: "Too many clients wait for this copy",
		},
	} {
		for _, at := range []frontend.AtLimit{"", frontend.AtLimitSource, frontend.AtLimitRefuse} {
			t.Run(name+", "+string(at), func(t *testing.T) {
				f := newFixture(t, fromHeader, frozen, tc.edit, func(o *options) { o.MaxWait, o.AtLimit = time.Minute, at })
				if tc.prepare != nil {
					tc.prepare(t, f)
				}
				require.Empty(t, f.limited(t))
				puts, heads := f.queue.requests(queue.Put), f.bucket.Heads
				wanted, target := cold(3)
				if tc.again != "" {
					wanted, target = cold(1)
				}
				for i := range 2 {
					start := time.Now()
					a := f.ask(t, "GET", target, "From", alice)
					require.Less(t, time.Since(start), 10*time.Second, "the answer is not at once")
					require.Equal(t, "cloud-mirror; fwd=miss", a.header.Get("Cache-Status"))
					if at == frontend.AtLimitRefuse {
						require.Equal(t, tc.status, a.status)
						require.Equal(t, tc.retryAfter, a.header.Get("Retry-After"))
						require.Equal(t, map[string]any{"code": tc.code, "message": tc.text + ", try again"}, a.body)
						require.Empty(t, a.location)
					} else {
						require.Equal(t, 302, a.status)
						require.Equal(t, wanted, a.location)
						require.Equal(t, map[string]any{"url": wanted, "msg": tc.text}, a.body)
					}
					require.Equal(t, map[string]float64{tc.limit: float64(i + 1)}, f.limited(t))
				}
				require.Equal(t, puts, f.queue.requests(queue.Put), "requested")
				if tc.status == 429 {
					require.Equal(t, heads, f.bucket.Heads, "a flood of one client reaches the bucket")
				}
				if tc.again == "" {
					e, err := f.cache.Get(t.Context(), cacheKey(wanted))
					require.NoError(t, err)
					require.Equal(t, cache.Absent, e.State, "a lease is left behind")
				}
			})
		}
	}
}

// TestOnlyNewCopiesAreLimited has a client reach its own limit, its host's limit and a closed gate.
// It can still request everything that needs no new copy.
func TestOnlyNewCopiesAreLimited(t *testing.T) {
	r := cachetest.Rules()
	for name, edit := range map[string]func(*options){
		"client":  func(o *options) { o.flight.ColdRate, o.flight.ColdBurst = 1, 1 },
		"host":    func(o *options) { o.flight.ColdRatePerHost, o.flight.ColdBurstPerHost = 1, 1 },
		"backlog": gate(t, cache.Backlog{Tasks: 2000}),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fromHeader, frozen, edit)
			running, first := cold(1)
			elsewhere, second := cold(3)
			acquire := func(url string) {
				_, _, err := f.cache.Acquire(t.Context(), cacheKey(url), cachetest.Rules().Pending(time.Now(), "another", 0, -1))
				require.NoError(t, err)
			}
			acquire(elsewhere)
			if name == "backlog" { // There is nothing to spend.
				acquire(running)
			}
			f.wait(t, first, alice)
			require.Eventually(t, func() bool { return f.cache.Waiting(cacheKey(running)) == 1 }, 5*time.Second, time.Millisecond)
			if name != "backlog" {
				require.Eventually(t, func() bool { return f.queue.requests(queue.Put) == 1 }, 5*time.Second, time.Millisecond)
			}
			refused := func() {
				t.Helper()
				_, target := cold(2)
				a := f.ask(t, "GET", target, "From", alice)
				require.NotContains(t, a.body["msg"], "did not show up", "control: a new copy is limited")
			}
			refused()
			for range 20 {
				f.put(t, r.Present(time.Now(), cache.Copy{}))
				require.Equal(t, copyURL("GET"), f.ask(t, "GET", path(""), "From", alice).location, "a hit")
			}
			for _, pending := range []string{first, second} { // For this front end, and for another.
				require.Equal(t, "Cached copy did not show up in 100ms", f.ask(t, "GET", pending+"?max_wait=100ms", "From", alice).body["msg"])
			}
			_, err := f.cache.Purge(t.Context(), key())
			require.NoError(t, err)
			f.put(t, r.Failed(time.Now(), cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true}))
			require.Equal(t, 404, f.ask(t, "GET", path(""), "From", alice).status, "an error that is known")
			refused()
		})
	}
}

// A copy that redis has lost is not a new copy: a gate and a host's limit must not hide it.
func TestLostEntriesAreNotLimited(t *testing.T) {
	for name, edit := range map[string]func(*options){
		"host":    func(o *options) { o.flight.ColdRatePerHost, o.flight.ColdBurstPerHost = 1, 1 },
		"backlog": gate(t, cache.Backlog{Tasks: 2000}),
		"client":  func(o *options) { o.flight.ColdRate, o.flight.ColdBurst = 1, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fromHeader, frozen, edit)
			f.store(t, "0")
			if name == "host" {
				_, target := cold(1)
				f.ask(t, "GET", target+"?max_wait=0", "From", alice)
			}
			for range 3 { // No backfill costs a token.
				require.Equal(t, copyURL("GET"), f.ask(t, "GET", path(""), "From", alice).location)
				_, err := f.cache.Drop(t.Context(), key(), mustGet(t, f))
				require.NoError(t, err)
			}
		})
	}
}

func mustGet(t *testing.T, f *fixture) cache.Entry {
	t.Helper()
	e, err := f.cache.Get(t.Context(), key())
	require.NoError(t, err)
	require.Equal(t, cache.Present, e.State)
	return e
}

// Only the process that requests the copy spends a token.
func TestCopyRequestOfAnotherFrontEndCostsNothing(t *testing.T) {
	limit := func(o *options) { o.flight.ColdRate, o.flight.ColdBurst = 1, 1 }
	first := newFixture(t, fromHeader, frozen, limit)
	second := newFixture(t, fromHeader, frozen, limit, func(o *options) { o.share(first) })
	const timeout = "Cached copy did not show up in 0s"
	_, one := cold(1)
	_, two := cold(2)
	_, three := cold(3)
	require.Equal(t, timeout, first.ask(t, "GET", one+"?max_wait=0", "From", alice).body["msg"])
	require.Equal(t, timeout, second.ask(t, "GET", one+"?max_wait=0", "From", alice).body["msg"])
	require.Equal(t, timeout, second.ask(t, "GET", two+"?max_wait=0", "From", alice).body["msg"], "the token is still there")
	require.NotEqual(t, timeout, second.ask(t, "GET", three+"?max_wait=0", "From", alice).body["msg"], "control: it is spent now")
}
