package flight

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

func address(n int) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(n))
	return netip.AddrFrom4(a)
}

// clock is a clock that stands still until it is set.
type clock struct{ now time.Time }

func (c *clock) sleep(d time.Duration) { c.now = c.now.Add(d) }

func TestBuckets(t *testing.T) {
	c := clock{time.Now()}
	b := newBuckets[netip.Addr](50, 500, 100)
	take := func(n int) time.Duration { return b.take(address(n), c.now) }
	for range 500 {
		require.Zero(t, take(1), "the burst")
	}
	for range 3 { // A refusal costs nothing.
		require.Equal(t, 20*time.Millisecond, take(1))
	}
	require.Zero(t, take(2), "another client has a bucket of its own")
	c.sleep(5 * time.Millisecond)
	require.Equal(t, 15*time.Millisecond, take(1))
	c.sleep(15 * time.Millisecond)
	require.Zero(t, take(1))
	require.Positive(t, take(1))
	c.sleep(time.Hour)
	for range 500 {
		require.Zero(t, take(1), "the bucket is full again, and no fuller than the burst")
	}
	require.Positive(t, take(1))

	unlimited := newBuckets[netip.Addr](0, 1, 100)
	for range 10_000 {
		require.Zero(t, unlimited.take(address(1), c.now))
		require.Zero(t, unlimited.wait(address(1), c.now))
	}
}

// TestWaitChangesNoBucket asks for the waits of more clients than the table holds.
func TestWaitChangesNoBucket(t *testing.T) {
	c := clock{time.Now()}
	b := newBuckets[netip.Addr](50, 2, 10)
	for range 2 {
		require.Zero(t, b.wait(address(1), c.now))
		require.Zero(t, b.take(address(1), c.now), "a question took a token")
	}
	require.Equal(t, 20*time.Millisecond, b.wait(address(1), c.now))
	for i := range 100 {
		require.Zero(t, b.wait(address(2+i), c.now))
	}
	require.Equal(t, 1, b.table.EstimatedSize())
	c.sleep(5 * time.Millisecond)
	require.Equal(t, 15*time.Millisecond, b.wait(address(1), c.now))
	require.Equal(t, 15*time.Millisecond, b.take(address(1), c.now))
	c.sleep(15 * time.Millisecond)
	require.Zero(t, b.wait(address(1), c.now))
	require.Zero(t, b.take(address(1), c.now))
}

// TestTableOfBucketsIsBounded takes tokens of many more clients and hosts than the tables hold.
func TestTableOfBucketsIsBounded(t *testing.T) {
	const bound = 16 << 20
	pool := &Pool{Pool: storage.Pool{Service: "s3", Region: "us-west-2"}}
	now := time.Now()
	clients := func(size, n int) int64 {
		b := newBuckets[netip.Addr](50, 500, size)
		bytes := retained(func() {
			for i := range n {
				b.take(address(i), now)
			}
		})
		require.Positive(t, b.table.EstimatedSize())
		require.LessOrEqual(t, b.table.EstimatedSize(), size)
		return bytes
	}
	hosts := func() int64 {
		a := admission{hosts: newBuckets[string](50, 500, hostBuckets), now: func() time.Time { return now }}
		path := strings.Repeat("x", 8<<10)
		bytes := retained(func() {
			for i := range hostBuckets {
				url := "https://" + strconv.Itoa(i) + ".example/" + path
				require.NoError(t, a.request(NewTarget(pool, url), slices.Values([]netip.Addr{address(1)})))
			}
		})
		require.Positive(t, a.hosts.table.EstimatedSize())
		return bytes
	}
	require.Less(t, clients(clientBuckets, 100_000), int64(bound))
	require.Greater(t, clients(1<<20, 120_000), int64(bound), "control: the measurement sees a table that is not bounded")
	require.Less(t, hosts(), int64(bound))
}

// retained returns the bytes that f leaves reachable.
func retained(f func()) int64 {
	before := heap()
	f()
	return heap() - before
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestAdmission spends tokens of clients (a, b) and of hosts.
func TestAdmission(t *testing.T) {
	a, b := address(1), address(2)
	pool := &Pool{Pool: storage.Pool{Service: "s3", Region: "us-west-2"}}
	for name, tc := range map[string]struct {
		perClient, perHost int // Bursts.
		requests           []struct {
			payers []netip.Addr
			url    string
			want   Limit
		}
	}{
		"a client at its limit takes no token of a host": {1, 2, []struct {
			payers []netip.Addr
			url    string
			want   Limit
		}{
			{[]netip.Addr{a}, "https://one/1", None},
			{[]netip.Addr{a}, "https://one/2", LimitClient},
			{[]netip.Addr{a}, "https://one/3", LimitClient},
			{[]netip.Addr{b}, "https://one/4", None},
		}},
		"a request that a host's limit refuses costs its client a token": {4, 1, []struct {
			payers []netip.Addr
			url    string
			want   Limit
		}{
			{[]netip.Addr{a}, "https://one/1", None},
			{[]netip.Addr{a}, "https://one/2", LimitHost},
			{[]netip.Addr{a}, "https://one:444/3", LimitHost}, // Ports are no way out.
			{[]netip.Addr{a}, "https://two/1", None},
			{[]netip.Addr{a}, "https://three/1", LimitClient},
			{[]netip.Addr{b}, "https://three/1", None},
		}},
		"any client of a flight pays": {1, 10, []struct {
			payers []netip.Addr
			url    string
			want   Limit
		}{
			{[]netip.Addr{a}, "https://one/1", None},
			{[]netip.Addr{a, b}, "https://one/2", None},
			{[]netip.Addr{a, b}, "https://one/3", LimitClient},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := clock{time.Now()}
			all := admission{
				clients: newBuckets[netip.Addr](1, tc.perClient, 100), hosts: newBuckets[string](1, tc.perHost, 100),
				now: func() time.Time { return c.now },
			}
			for _, r := range tc.requests {
				err := all.request(NewTarget(pool, r.url), slices.Values(r.payers))
				if r.want == None {
					require.NoError(t, err, r.url)
					continue
				}
				require.Equal(t, &LimitError{Limit: r.want, RetryAfter: time.Second}, err, r.url)
			}
		})
	}
}

// TestClosedGateCostsTokens requests copies at a closed gate until the client is at its limit. Its
// next flight is then refused without a lease and a HEAD.
func TestClosedGateCostsTokens(t *testing.T) {
	c := clock{time.Now()}
	b := &backlogs{all: map[string]cache.Backlog{gated: {Tasks: 5000}}}
	all := admission{
		gate: newTestGate(t, b), clients: newBuckets[netip.Addr](1, 2, 100), hosts: newBuckets[string](1, 1, 100),
		now: func() time.Time { return c.now },
	}
	all.gate.read(t.Context())
	target := NewTarget(&Pool{Pool: storage.Pool{Service: "s3", Region: "us-west-2"}}, "https://one/1")
	limits := func(client netip.Addr, n int) (got []Limit) {
		for range n {
			refusal, _ := errors.AsType[*LimitError](all.request(target, slices.Values([]netip.Addr{client})))
			if refusal == nil {
				got = append(got, None)
				continue
			}
			got = append(got, refusal.Limit)
		}
		return got
	}
	require.Equal(t, []Limit{LimitBacklog, LimitBacklog, LimitClient}, limits(address(1), 3))
	require.Positive(t, all.clients.wait(address(1), c.now))
	b.all[gated] = cache.Backlog{}
	all.gate.read(t.Context())
	require.Equal(t, []Limit{None, LimitHost, LimitClient}, limits(address(2), 3), "the gate took no token of the host")
}
