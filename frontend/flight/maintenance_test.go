package flight_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// lifespan is the lifespan of the pool of maintained.
const lifespan = 40 * 24 * time.Hour

// maintained is a fixture whose group refreshes copies, and audits every fifth hit of two
// upstreams.
type maintained struct {
	*fixture
	cache *verifiedCache
}

func newMaintained(t *testing.T, edit ...func(*flight.Options)) *maintained {
	t.Helper()
	d := &maintained{}
	d.fixture = newFixture(t, append([]func(*flight.Options){func(o *flight.Options) {
		d.cache = &verifiedCache{Memory: o.Cache.(*cachetest.Memory)}
		o.Cache, o.Refresh, o.AuditEvery, o.Upstreams = d.cache, true, 5, []string{"one", "two"}
		o.Pools[0].Lifespan = lifespan
	}}, edit...)...)
	t.Cleanup(d.end)
	return d
}

// end waits until the tasks in flight have finished.
func (d *maintained) end() {
	d.Stop()
	d.Drain()
}

// of returns a target of an upstream, for a URL of its own.
func (d *maintained) of(upstream string, n int) *flight.Target {
	target := flight.NewTarget(d.Pools()[0], source+strconv.Itoa(n))
	target.Upstream = upstream
	return target
}

// expiring is a present entry of a copy that the bucket deletes after that time.
func expiring(left time.Duration) cache.Entry {
	return cachetest.Rules().Present(time.Now(), cache.Copy{Expires: time.Now().Add(left)})
}

// sent waits until n requests were sent. It returns those of an action.
func (d *maintained) sent(t *testing.T, n int, action queue.Action) (all []queue.Request) {
	t.Helper()
	require.Eventually(t, func() bool { return len(d.queue.requests()) >= n }, 5*time.Second, time.Millisecond)
	for _, r := range d.queue.requests() {
		if r.Action == action {
			all = append(all, r)
		}
	}
	return all
}

func TestHitsInTheLastQuarterAreRefreshed(t *testing.T) {
	for name, tc := range map[string]struct {
		entry cache.Entry
		edit  func(*flight.Options)
		want  bool
		off   bool // No object of the pool is refreshed.
	}{
		"in the last quarter":            {entry: expiring(lifespan/4 - time.Hour), want: true},
		"before the last quarter":        {entry: expiring(lifespan/4 + time.Hour)},
		"a copy that never expires":      {entry: cachetest.Rules().Present(time.Now(), cache.Copy{})},
		"a pool that keeps copies":       {entry: expiring(time.Hour * 5), off: true, edit: func(o *flight.Options) { o.Pools[0].Lifespan = 0 }},
		"refreshes are off":              {entry: expiring(time.Hour * 5), off: true, edit: func(o *flight.Options) { o.Refresh = false }},
		"in the last quarter, no audits": {entry: expiring(time.Hour * 5), want: true, edit: func(o *flight.Options) { o.AuditEvery = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			edit := func(*flight.Options) {}
			if tc.edit != nil {
				edit = tc.edit
			}
			d := newMaintained(t, edit)
			for range 1000 { // Many hits make one message.
				d.Served(d.target, tc.entry, time.Now())
			}
			// The control is queued behind the target. It shows that nothing else comes.
			control := d.of("", 0)
			if !tc.off {
				d.Served(control, expiring(time.Hour*5), time.Now())
				require.Eventually(t, func() bool {
					_, claimed := d.cache.claimed.Load(cache.RefreshClaim(control.Key))
					return claimed
				}, 5*time.Second, time.Millisecond)
			}
			d.end()
			var urls []string
			for _, r := range d.queue.requests() {
				require.Equal(t, queue.Request{Pool: "s3_us-west-2", URL: r.URL, Action: queue.Refresh}, r)
				urls = append(urls, r.URL)
			}
			require.Equal(t, tc.want, len(urls) > 0 && urls[0] == source, "%v", urls)
			_, claimed := d.cache.claimed.Load(cache.RefreshClaim(d.target.Key))
			require.Equal(t, tc.want, claimed)
		})
	}
}

// TestOneFrontEndRefreshes has another front end take the claim. The claim then decides when this
// one tries again.
func TestOneFrontEndRefreshes(t *testing.T) {
	d := newMaintained(t)
	const left = 200 * time.Millisecond
	_, err := d.cache.Memory.Claim(t.Context(), cache.RefreshClaim(d.target.Key), left)
	require.NoError(t, err)
	start := time.Now()
	require.Eventually(t, func() bool {
		d.Served(d.target, expiring(time.Hour*5), time.Now())
		return len(d.queue.requests()) > 0
	}, 5*time.Second, time.Millisecond)
	require.GreaterOrEqual(t, time.Since(start), left)
	require.Less(t, d.cache.claims.Load(), int64(10), "it polls redis for the claim")
}

// TestFailedRefreshIsSentAgainAfterTheClaim uses a clock. The target is new each time, like one
// that was evicted, so that only the claim counts.
func TestFailedRefreshIsSentAgainAfterTheClaim(t *testing.T) {
	d := newMaintained(t)
	d.queue.fail(errors.New("down"))
	d.Served(d.target, expiring(time.Hour*5), time.Now())
	require.Eventually(t, func() bool { return d.cache.claims.Load() == 1 }, 5*time.Second, time.Millisecond)
	d.queue.fail(nil)
	now := time.Now()
	for range 1000 {
		d.Served(d.target, expiring(time.Hour*5), now)
	}
	d.Served(d.target, expiring(time.Hour*5), now.Add(59*time.Minute))
	require.EqualValues(t, 1, d.cache.claims.Load(), "a hit within the claim tries again")
	d.Served(d.target, expiring(time.Hour*5), now.Add(61*time.Minute))
	require.Eventually(t, func() bool { return d.cache.claims.Load() == 2 }, 5*time.Second, time.Millisecond)
}

func TestEveryNthHitIsAudited(t *testing.T) {
	d := newMaintained(t)
	young := cachetest.Rules().Present(time.Now(), cache.Copy{})
	start := time.Now()
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }
	for i := range 20 { // Four of each upstream; those of none and of a foreign name do not count.
		d.Served(d.of("one", i), young, at(i))
		d.Served(d.of("two", 100+i), young, at(i))
		d.Served(d.of("", 200+i), young, at(i))
		d.Served(d.of("foreign", 300+i), young, at(i))
	}
	got := map[string]bool{}
	for _, r := range d.sent(t, 8, queue.Audit) {
		require.Equal(t, queue.Request{Pool: "s3_us-west-2", URL: r.URL, Action: queue.Audit}, r)
		got[r.URL] = true
	}
	want := map[string]bool{}
	for _, n := range []int{4, 9, 14, 19, 104, 109, 114, 119} {
		want[source+strconv.Itoa(n)] = true
	}
	require.Equal(t, want, got)
	d.end()
	require.Len(t, d.queue.requests(), 8)
}

// TestAuditsOfAnUpstreamAreLimited serves thousands of objects of one upstream within a second, and
// of another. Each has one audit. The next second has another.
func TestAuditsOfAnUpstreamAreLimited(t *testing.T) {
	d := newMaintained(t)
	young, now := cachetest.Rules().Present(time.Now(), cache.Copy{}), time.Now()
	for i := range 1000 {
		d.Served(d.of("one", i), young, now)
		d.Served(d.of("two", i+1000), young, now)
	}
	require.Len(t, d.sent(t, 2, queue.Audit), 2)
	for i := range 5 {
		d.Served(d.of("one", 5000+i), young, now.Add(time.Second))
	}
	require.Len(t, d.sent(t, 3, queue.Audit), 3)
	d.end()
	require.Len(t, d.queue.requests(), 3)
}

// TestOneObjectIsAuditedOnceAnHour serves one object for an hour. The claim holds although the
// target is new each time.
func TestOneObjectIsAuditedOnceAnHour(t *testing.T) {
	d := newMaintained(t)
	young, now := cachetest.Rules().Present(time.Now(), cache.Copy{}), time.Now()
	for i := range 50 {
		d.Served(d.of("one", 1), young, now.Add(time.Duration(i)*time.Minute))
	}
	require.Eventually(t, func() bool { return d.cache.claims.Load() == 10 }, 5*time.Second, time.Millisecond)
	d.end()
	require.Len(t, d.queue.requests(), 1)
}

// TestMaintenanceIsNotSent has redis fail, and the pool's workers be far behind. The control comes
// before.
func TestMaintenanceIsNotSent(t *testing.T) {
	t.Run("while redis is down", func(t *testing.T) {
		d := newMaintained(t)
		d.Served(d.of("", 1), expiring(time.Hour*5), time.Now())
		d.sent(t, 1, queue.Refresh)
		d.cache.Fail(errors.New("down"))
		d.Served(d.target, expiring(time.Hour*5), time.Now())
		require.Eventually(t, func() bool {
			_, tried := d.cache.claimed.Load(cache.RefreshClaim(d.target.Key))
			return tried
		}, 5*time.Second, time.Millisecond)
		d.end()
		require.Len(t, d.queue.requests(), 1)
	})

	t.Run("while the gate is closed for lists", func(t *testing.T) {
		full := &backlogged{}
		gate := flight.NewGate(flight.GateOptions{
			Pools: []string{"s3_us-west-2"}, Backlogs: full, MaxTasks: 100, Log: zerolog.Nop(),
		})
		d := newMaintained(t, func(o *flight.Options) { o.Gate = gate })
		d.Served(d.of("", 1), expiring(time.Hour*5), time.Now())
		d.sent(t, 1, queue.Refresh)
		full.readBy(t, gate, 60)
		now := time.Now()
		for i := range 100 {
			d.Served(d.of("one", 100+i), expiring(time.Hour*5), now)
		}
		require.Eventually(t, func() bool { return d.PendingMaintenance() == 0 }, 5*time.Second, time.Millisecond)
		d.end()
		require.Len(t, d.queue.requests(), 1)
		require.EqualValues(t, 1, d.cache.claims.Load(), "it takes no claim that it does not use")
	})
}

// hangingCache hangs in each claim until free is closed.
type hangingCache struct {
	*cachetest.Memory
	free    chan struct{}
	hanging atomic.Int64
}

func (c *hangingCache) Claim(context.Context, string, time.Duration) (time.Duration, error) {
	c.hanging.Add(1)
	<-c.free
	return time.Hour, nil
}

// TestMaintenanceNeverBlocks has every claim hang. Served returns at once, and allocates nothing.
func TestMaintenanceNeverBlocks(t *testing.T) {
	hanging := &hangingCache{free: make(chan struct{})}
	d := newMaintained(t, func(o *flight.Options) {
		hanging.Memory = o.Cache.(*verifiedCache).Memory
		o.Cache = hanging
	})
	defer close(hanging.free)
	targets := make([]*flight.Target, 2000)
	e, now := expiring(time.Hour*5), time.Now()
	for i := range targets {
		targets[i] = d.of("one", i)
	}
	start := time.Now()
	for _, target := range targets {
		d.Served(target, e, now)
	}
	require.Less(t, time.Since(start), 5*time.Second)
	require.Eventually(t, func() bool { return hanging.hanging.Load() == 2 }, 5*time.Second, time.Millisecond)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		for i, target := range targets {
			d.Served(target, e, now.Add(time.Duration(i)*time.Second))
		}
	}))
	require.EqualValues(t, 2, hanging.hanging.Load(), "the workers do not hang")
}

// backlogged reports a backlog of all pools.
type backlogged struct{ tasks, reads atomic.Int64 }

// readBy has the gate read the backlog of n tasks.
func (b *backlogged) readBy(t *testing.T, gate *flight.Gate, n int64) {
	t.Helper()
	b.tasks.Store(n)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	before := b.reads.Load()
	go func() { gate.Run(ctx); close(ended) }()
	require.Eventually(t, func() bool { return b.reads.Load() == before+2 }, 10*time.Second, time.Millisecond)
	cancel()
	<-ended
}

func (b *backlogged) Backlogs(_ context.Context, pools []string) (map[string]cache.Backlog, error) {
	b.reads.Add(1)
	all := map[string]cache.Backlog{}
	for _, p := range pools {
		all[p] = cache.Backlog{Tasks: b.tasks.Load()}
	}
	return all, nil
}
