package conns

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A peer that vanishes sends no packet: the kernel's own timers find it.
func TestKernelWatchesThePeer(t *testing.T) {
	s := serve(t, Options{Timeout: 30 * time.Second}, func(http.ResponseWriter, *http.Request) {})
	s.dial(t)
	raw, err := (<-s.conns).(*conn).SyscallConn()
	require.NoError(t, err)
	for option, want := range map[int]int{
		unix.TCP_USER_TIMEOUT: 30_000, unix.TCP_KEEPIDLE: 10, unix.TCP_KEEPINTVL: 5,
	} {
		require.NoError(t, raw.Control(func(fd uintptr) {
			got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option)
			require.NoError(t, err)
			require.Equal(t, want, got, "option %d", option)
		}))
	}
}

// A poll can see a descriptor that was closed and reused by another connection. The state of that
// connection cancels no request.
func TestPollOfAConnectionThatIsClosed(t *testing.T) {
	g := New(Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	watched := func() (c *conn, peer net.Conn, cancelled *bool) {
		peer, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		accepted, err := l.Accept()
		require.NoError(t, err)
		c, cancelled = g.admit(accepted.(*net.TCPConn)), new(bool)
		require.NotNil(t, c)
		t.Cleanup(func() { peer.Close(); c.Close() })
		g.mu.Lock()
		defer g.mu.Unlock()
		g.watched[c] = func() { *cancelled = true }
		return c, peer, cancelled
	}
	stays, _, cancelledStays := watched()
	_, peer, cancelledLeaves := watched()
	closed, _, cancelledClosed := watched()

	var p poller
	g.cancelGone(&p)
	require.False(t, *cancelledStays || *cancelledLeaves || *cancelledClosed)
	require.NoError(t, peer.Close())
	require.Eventually(t, func() bool { g.cancelGone(&p); return *cancelledLeaves }, 5*time.Second, time.Millisecond)
	require.False(t, *cancelledStays || *cancelledClosed)

	require.NoError(t, closed.Close())
	g.cancel([]*conn{closed, stays}) // As if both descriptors were gone.
	require.False(t, *cancelledClosed)
	require.True(t, *cancelledStays)
}
