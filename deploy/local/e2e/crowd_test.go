package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTenThousandClientsMakeOneCopy has 10,000 clients wait for one object at two front ends. The
// front ends are built without the race detector, which can't track so many goroutines. This
// process does not start a goroutine for each client either.
func TestTenThousandClientsMakeOneCopy(t *testing.T) {
	const clients = 10_000
	binary := plainBinary(t)
	config := editedConfig(t, func(settingsTree) {})
	var frontEnds [2]*process
	for i := range frontEnds {
		frontEnds[i] = startProcess(t, "crowd", binary, []string{"frontend", "--config", config}, "CLOUD_MIRROR_LOG_LEVEL=info")
	}
	release := make(chan struct{})
	s := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		<-release
		s.serveObject(w, r)
	})
	object := s.object()
	waitEmptyQueue(t)
	before := metric(t, "cloud_mirror_messages_total", workers()...)
	start := frontEnds[0].resident(t) + frontEnds[1].resident(t)

	conns := make([]net.Conn, clients)
	var err error
	for i := range conns {
		// One client can take a fifth of the waiting places, so these are ten clients.
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i%10+1))}}
		conns[i], err = from.DialContext(t.Context(), "tcp", frontEnds[i%2].listen)
		require.NoError(t, err)
		defer conns[i].Close()
		_, err = fmt.Fprintf(conns[i], "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", redirectPath(west, object, "?max_wait=2m"))
		require.NoError(t, err)
	}
	waiting := func() (n float64) {
		for _, p := range frontEnds {
			_, body, _ := fetch(t, "http://"+p.admin+"/metrics")
			for line := range strings.SplitSeq(string(body), "\n") {
				if text, ok := strings.CutPrefix(line, "cloud_mirror_waiting_clients "); ok {
					v, err := strconv.ParseFloat(text, 64)
					require.NoError(t, err)
					n += v
				}
			}
		}
		return n
	}
	eventually(t, func() bool { return waiting() == clients }, "all clients wait")
	grown := frontEnds[0].resident(t) + frontEnds[1].resident(t) - start
	t.Logf("%d KiB for each waiting client", grown/clients>>10)
	require.Less(t, grown, int64(clients*100<<10), "bytes for all waiting clients")
	// The first client of each front end leaves. All other clients must still get the copy.
	require.NoError(t, conns[0].Close())
	require.NoError(t, conns[1].Close())
	close(release)
	for i, conn := range conns[2:] {
		require.NoError(t, conn.SetDeadline(time.Now().Add(deadline)))
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), nil)
		require.NoError(t, err, "client %d", i)
		require.Equal(t, 302, resp.StatusCode)
		require.Contains(t, resp.Header.Get("Location"), hashOf(object))
		resp.Body.Close()
	}
	require.Equal(t, 1, s.count(http.MethodGet))
	require.InDelta(t, 1, metric(t, "cloud_mirror_messages_total", workers()...)-before, 0)
	workflows(t, west, object, 1)
}

// resident returns the process's resident memory in bytes.
func (p *process) resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	return kib << 10
}
