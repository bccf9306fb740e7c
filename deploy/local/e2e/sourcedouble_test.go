package e2e

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// double is a source with one object, which misbehaves as its row says. It counts its requests.
type double struct {
	row  *sourceRow
	body []byte
	addr string
	id   string // No other double has the same URL

	mu      sync.Mutex
	kinds   map[kind]int
	started []*http.Request
	arrived []time.Time       // Of the requests in started
	open    int               // GETs in flight
	conns   map[net.Conn]bool // Open connections that were admitted
	used    map[string]bool   // Signatures that were used
}

// kind is a kind of request. A hop is a request that the double redirects.
type kind struct {
	method      string
	hop, ranged bool
}

// counts are the requests that a double has seen.
type counts struct{ heads, plain, ranged, hops int }

// visit is one request to a double.
type visit struct {
	d *double
	w http.ResponseWriter
	r *http.Request
	n int // From 1, among the requests of its kind
	kind
}

// start starts the double of a row. The test's seed and the row's name determine the bytes.
func (row *sourceRow) start(t *testing.T, seed string) *double {
	t.Helper()
	d := &double{row: row, kinds: map[kind]int{}, used: map[string]bool{}, conns: map[net.Conn]bool{}}
	random := rand.NewChaCha8(sha256.Sum256([]byte(seed + row.name)))
	d.id = strconv.FormatUint(rand.Uint64(), 16)
	d.body = make([]byte, row.bytes(random.Uint64()))
	_, _ = random.Read(d.body)
	if row.encode != nil {
		d.body = row.encode(d.body)
	}
	if row.port == nil {
		row.claim(t)
	}
	d.addr = row.port.addr
	if row.deaf {
		return d
	}
	listener := row.port.listener
	row.port = nil // The next double needs another one
	s := &http.Server{Handler: d, ConnState: d.track}
	s.SetKeepAlivesEnabled(!row.oneShot)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() { s.Close() })
	return d
}

// bytes returns the size of the object. A size of 0 is a few KiB.
func (row *sourceRow) bytes(random uint64) int {
	switch row.size {
	case 0:
		return 1<<10 + int(random%(4<<10))
	case empty:
		return 0
	default:
		return row.size
	}
}

// port is a port on which a double listens, or one that refuses connections.
type port struct {
	addr     string
	listener net.Listener
}

// claim takes a port for the next double of the row.
func (row *sourceRow) claim(t *testing.T) {
	t.Helper()
	switch {
	case row.deaf:
		row.port = &port{addr: refusingPort(t)}
	case row.authority:
		// Another descriptor of the same socket, so that the double may close it.
		file, err := sys.authority.File()
		require.NoError(t, err)
		defer file.Close()
		listener, err := net.FileListener(file)
		require.NoError(t, err)
		row.listen(t, listener)
	default:
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		row.listen(t, listener)
	}
}

func (row *sourceRow) listen(t *testing.T, l net.Listener) {
	t.Cleanup(func() { l.Close() })
	row.port = &port{l.Addr().String(), l}
}

// refusingPort returns the address of a port that refuses connections. No other process gets it
// before the test ends.
func refusingPort(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
}

// object returns the URL of the object.
func (d *double) object() string {
	path := "/file.bin"
	if d.row.hop {
		path = "/hop/1"
	}
	return "http://" + d.addr + path + "?sig=" + secret + "&id=" + d.id
}

// track resets the connections that the row does not admit.
func (d *double) track(conn net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch state {
	case http.StateNew:
		if d.row.maxConns > 0 && len(d.conns) >= d.row.maxConns {
			reset(conn)
			return
		}
		d.conns[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(d.conns, conn)
	default:
	}
}

func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{d: d, w: w, r: r}
	v.kind = kind{method: r.Method, hop: strings.HasPrefix(r.URL.Path, "/hop/"), ranged: r.Header.Get("Range") != ""}
	d.mu.Lock()
	d.kinds[v.kind]++
	v.n = d.kinds[v.kind]
	d.started = append(d.started, r.Clone(r.Context()))
	d.arrived = append(d.arrived, time.Now())
	d.open++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.open--
	}()
	d.row.serve(v)
}

// inFlight returns the number of requests that the double is answering.
func (d *double) inFlight() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

// use notes that a signature was used, and reports whether this was the first time.
func (d *double) use(signature string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := !d.used[signature]
	d.used[signature] = true
	return fresh
}

// seen returns the counts and the headers of all requests so far.
func (d *double) seen() (c counts, requests []*http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, n := range d.kinds {
		switch {
		case k.method == http.MethodHead:
			c.heads += n
		case k.hop:
			c.hops += n
		case k.ranged:
			c.ranged += n
		default:
			c.plain += n
		}
	}
	return c, slices.Clone(d.started)
}

// reply is a response before it is sent.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// keptHeaders are the headers of a source that its copy keeps.
func keptHeaders() []string {
	return []string{"Content-Type", "Content-Disposition", "Content-Language", "Content-Encoding"}
}

// ordinaryHeaders are the headers that the object has unless its row changes them.
func ordinaryHeaders() map[string]string {
	return map[string]string{
		"Content-Type": "application/x-test", "Content-Language": "de",
		"Content-Disposition": `attachment; filename="file.bin"`,
	}
}

// ordinary returns the response of a well-behaved server to the request.
func (v *visit) ordinary() *reply {
	r := &reply{status: http.StatusOK, header: http.Header{}, body: v.d.body}
	for name, value := range ordinaryHeaders() {
		r.header.Set(name, value)
	}
	r.header.Set("Accept-Ranges", "bytes")
	r.header.Set("ETag", `"x"`)
	if spec, ok := strings.CutPrefix(v.r.Header.Get("Range"), "bytes="); ok {
		var first, last int
		if n, _ := fmt.Sscanf(spec, "%d-%d", &first, &last); n < 2 || first > last || first >= len(r.body) {
			return refusal(http.StatusRequestedRangeNotSatisfiable)
		}
		last = min(last, len(r.body)-1)
		r.status = http.StatusPartialContent
		r.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(r.body)))
		r.body = r.body[first : last+1]
	}
	r.header.Set("Content-Length", strconv.Itoa(len(r.body)))
	return r
}

// refusal returns a response with an error page.
func refusal(status int) *reply {
	body := []byte(fmt.Sprintf("status %d\n", status))
	return &reply{status: status, body: body, header: http.Header{
		"Content-Type": {"text/plain"}, "Content-Length": {strconv.Itoa(len(body))},
	}}
}

// send sends the reply, in chunks if it has no Content-Length.
func (v *visit) send(r *reply) {
	h := v.w.Header()
	h["Content-Type"] = nil // net/http would guess it
	maps.Copy(h, r.header)
	v.w.WriteHeader(r.status)
	if r.header.Get("Content-Length") == "" {
		v.w.(http.Flusher).Flush()
	}
	if v.method != http.MethodHead {
		_, _ = v.w.Write(r.body)
	}
}

// raw sends bytes in place of a response, and closes the connection.
func (v *visit) raw(parts ...[]byte) {
	conn, _, err := http.NewResponseController(v.w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	for _, p := range parts {
		if _, err := conn.Write(p); err != nil {
			return
		}
	}
}

// rawHead returns a status line with the ordinary headers and these lines.
func rawHead(statusLine string, lines ...string) []byte {
	text := statusLine + "\r\n"
	headers := ordinaryHeaders()
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		text += name + ": " + headers[name] + "\r\n"
	}
	for _, line := range lines {
		text += line + "\r\n"
	}
	return []byte(text + "\r\n")
}

// reset closes the connection with a TCP reset.
func (v *visit) reset() {
	if conn, _, err := http.NewResponseController(v.w).Hijack(); err == nil {
		reset(conn)
	}
}

// hang waits until the client leaves.
func (v *visit) hang() { <-v.r.Context().Done() }

// stall sends the first half of the reply's body, and hangs.
func (v *visit) stall(r *reply) {
	half := *r
	half.body = r.body[:len(r.body)/2]
	v.send(&half)
	v.w.(http.Flusher).Flush()
	v.hang()
}
