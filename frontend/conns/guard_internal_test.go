package conns

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestLimitsFitTheOpenFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		most, perClient int
		files           uint64
		wantMost, want  int
	}{
		"enough files":              {25_000, 10_000, 1 << 20, 25_000, 10_000},
		"no limit of files":         {25_000, 10_000, math.MaxUint64, 25_000, 10_000},
		"1,024 files":               {25_000, 10_000, 1024, 896, 448},
		"1,024 files, small limits": {100, 50, 1024, 100, 50},
		"few files":                 {25_000, 10_000, 64, 1, 1},
		"no limit of connections":   {0, 10_000, 1024, 0, 10_000},
		"no limit of clients":       {25_000, 0, 1024, 896, 0},
	} {
		t.Run(name, func(t *testing.T) {
			most, perClient := fit(tc.most, tc.perClient, tc.files)
			require.Equal(t, []int{tc.wantMost, tc.want}, []int{most, perClient})
		})
	}
}

func TestClientOfAConnection(t *testing.T) {
	client := func(s string) clientKey {
		a, err := net.ResolveTCPAddr("tcp", s)
		require.NoError(t, err)
		return clientOf(a)
	}
	require.Equal(t, client("192.0.2.1:1"), client("192.0.2.1:2"), "another port")
	require.Equal(t, client("[2001:db8::1]:1"), client("[2001:db8::2]:1"), "another host of a /64")
	require.NotEqual(t, client("192.0.2.1:1"), client("192.0.2.2:1"))
	require.Zero(t, clientOf(&net.UnixAddr{}))
}

// served is a server with a guard.
type served struct {
	*Guard
	address string
	conns   chan net.Conn // As the server sees them.
}

func serve(t *testing.T, o Options, h http.HandlerFunc) served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := served{New(o), l.Addr().String(), make(chan net.Conn, 1000)}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.conns <- r.Context().Value(connKey{}).(net.Conn)
		h(w, r)
	})}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(srv, l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return s
}

func (s served) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	return c
}

func (s served) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func TestRequestThatTakesTooLong(t *testing.T) {
	slow, quick := prometheus.NewRegistry(), prometheus.NewRegistry()
	s := serve(t, Options{Longest: time.Second, Registry: slow}, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // Closing the connection ends the request.
	})
	progressing := serve(t, Options{Longest: time.Second, Registry: quick}, func(_ http.ResponseWriter, r *http.Request) {
		for range 40 {
			Progress(r.Context())
			select {
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	s.dial(t)
	c := progressing.dial(t)
	<-s.conns
	require.Eventually(t, func() bool { return s.count() == 0 }, 10*time.Second, 10*time.Millisecond)
	_, err := c.Read(make([]byte, 1))
	require.NoError(t, err, "a request that makes progress was cut")
	require.InDelta(t, 1, closedSlowly(t, slow), 0)
	require.Zero(t, closedSlowly(t, quick))
}

// closedSlowly returns the value of closed{limit=slow}.
func closedSlowly(t *testing.T, r *prometheus.Registry) float64 {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "cloud_mirror_closed_connections_total" && m.GetLabel()[0].GetValue() == string(closedSlow) {
				return m.GetCounter().GetValue()
			}
		}
	}
	require.Fail(t, "no such metric")
	return 0
}

// The guard forgets every connection, and its client's records.
func TestGuardForgets(t *testing.T) {
	s := serve(t, Options{Max: 5, MaxPerClient: 3}, func(_ http.ResponseWriter, r *http.Request) {
		_, stop := Watch(r.Context())
		stop()
	})
	for range 20 {
		c := s.dial(t)
		_, err := c.Read(make([]byte, 1))
		require.NoError(t, err)
	}
	require.Equal(t, 3, s.count())
	for range 20 {
		_ = (<-s.conns).Close() // Twice for those that are closed.
	}
	require.Zero(t, s.count())
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(t, s.clients)
	require.Empty(t, s.watched)
}

// Connections of one moment make room in the order in which they became idle. A connection that was
// just accepted stays.
func TestLongestIdleMakesRoom(t *testing.T) {
	const limit = 8
	s := serve(t, Options{Max: limit}, func(http.ResponseWriter, *http.Request) {})
	var clients []net.Conn
	for range 4 * limit {
		c := s.dial(t)
		require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
		_, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err, "a new connection made room")
		served := (<-s.conns).(*conn)
		require.Eventually(t, func() bool { return served.since.Load() < 0 }, 10*time.Second, time.Millisecond)
		clients = append(clients, c)
	}
	for i, c := range clients {
		if i < len(clients)-limit {
			_, err := io.ReadAll(c)
			require.NoError(t, err, "connection %d is open", i)
			continue
		}
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		_, err = http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err, "connection %d is closed", i)
	}
}

func TestStateOfAConnectionAllocatesNothing(t *testing.T) {
	g := New(Options{})
	c := &conn{guard: g}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		changed(c, http.StateActive)
		changed(c, http.StateIdle)
	}))
	require.Negative(t, c.since.Load())
}

func TestMetricsStartAtZero(t *testing.T) {
	registry := prometheus.NewRegistry()
	New(Options{Registry: registry})
	families, err := registry.Gather()
	require.NoError(t, err)
	counts := map[string]int{}
	for _, f := range families {
		counts[f.GetName()] = len(f.GetMetric())
	}
	require.Equal(t, map[string]int{
		"cloud_mirror_open_connections": 1, "cloud_mirror_refused_connections_total": 2, "cloud_mirror_closed_connections_total": 3,
	}, counts)
}

func BenchmarkState(b *testing.B) {
	c := &conn{guard: New(Options{})}
	var nc net.Conn = c
	for b.Loop() {
		changed(nc, http.StateActive)
		changed(nc, http.StateIdle)
	}
}

// add adds a connection of a client, idle since -since or busy since then, if there is room. It
// returns nil otherwise.
func (g *Guard) add(client clientKey, since int64) *conn {
	c := &conn{guard: g, client: client}
	c.since.Store(since)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, _, ok := g.makeRoom(client); !ok {
		return nil
	}
	if g.clients[client] == nil {
		g.clients[client] = map[*conn]struct{}{}
	}
	g.clients[client][c] = struct{}{}
	g.open++
	return c
}

// nth returns one of many clients.
func nth(n int) clientKey {
	return clientKey(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}))
}

// A client that was refused at its own limit is the most idle a moment later. Its connections make
// room for others.
func TestClientThatWasBusyMakesRoom(t *testing.T) {
	g := New(Options{Max: 4, MaxPerClient: 3})
	var busy []*conn
	for range 3 {
		busy = append(busy, g.add(nth(1), 1))
	}
	other := g.add(nth(2), 1)
	require.Nil(t, g.add(nth(1), 1), "control: the client is at its limit")
	for _, c := range busy {
		c.since.Store(-2)
	}
	require.NotNil(t, g.add(nth(3), -3))
	require.Len(t, g.clients[nth(1)], 2)
	require.Contains(t, g.clients[nth(2)], other)
}

// The clients with the most idle connections make room together: a 64th of them at once.
func TestClientsThatTieMakeRoomTogether(t *testing.T) {
	const clients = 10 * batch
	g := New(Options{})
	for i := range clients {
		require.NotNil(t, g.add(nth(i), -int64(i)-1))
	}
	for range 2 { // Busy connections count for nothing.
		g.add(nth(clients), 1)
	}
	g.options.Max = g.open
	require.NotNil(t, g.add(nth(clients+1), -clients-2))
	for i := range clients {
		require.Equal(t, i < 10, g.clients[nth(i)] == nil, "client %d of %d", i, clients)
	}
	require.Len(t, g.clients[nth(clients)], 2)
}

// A connection that is already closed is not watched: its descriptor may belong to another.
func TestWatchOfAClosedConnection(t *testing.T) {
	g := New(Options{})
	c := g.add(nth(1), 1)
	ctx := context.WithValue(t.Context(), connKey{}, net.Conn(c))
	watched, stop := Watch(ctx)
	require.NoError(t, watched.Err(), "control: the connection is open")
	require.Contains(t, g.watched, c)
	stop()
	g.forget(c)
	watched, stop = Watch(ctx)
	defer stop()
	require.ErrorIs(t, watched.Err(), context.Canceled)
	require.Empty(t, g.watched)
}

// BenchmarkAdmitAtTheLimit measures the cost of a connection while 20,000 others are idle.
func BenchmarkAdmitAtTheLimit(b *testing.B) {
	const limit = 20_000
	for name, clients := range map[string]int{"one client": 1, "20,000 clients": limit} {
		b.Run(name, func(b *testing.B) {
			g := New(Options{Max: limit})
			g.options.Max = limit // Whatever the limit of open files.
			n := 0
			admit := func() {
				if n++; g.add(nth(n%clients), -1) == nil {
					b.Fatal("refused")
				}
			}
			for range limit {
				admit()
			}
			for b.Loop() {
				admit()
			}
		})
	}
}
