package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// point is where a copy is stopped: a proxy holds a request on its way, or the reply to it.
type point struct {
	reply   bool          // the server has done what it was asked, and the client is not told
	reached chan struct{} // closed when the copy is there
	once    sync.Once
}

func newPoint(reply bool) *point { return &point{reply: reply, reached: make(chan struct{})} }

func (p *point) reach() { p.once.Do(func() { close(p.reached) }) }

// wait returns when the copy is at its point.
func (p *point) wait(t *testing.T, what string) {
	t.Helper()
	select {
	case <-p.reached:
	case <-background(t).Done():
		require.Fail(t, "never reached", what)
	}
}

// Calls of S3.
const (
	callHead     = "HeadObject"
	callList     = "ListMultipartUploads"
	callCreate   = "CreateMultipartUpload"
	callPart     = "UploadPart"
	callComplete = "CompleteMultipartUpload"
	callPut      = "PutObject"
)

// s3Point is a call for one object.
type s3Point struct {
	*point
	hash, call string
	part       int // of an UploadPart
	answered   chan struct{}
	status     int // of the server's answer; to be read after answered
}

func (p *s3Point) is(r *http.Request) bool {
	number, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
	return strings.Contains(r.URL.RequestURI(), p.hash) && p.call == callOf(r) && p.part == number
}

func callOf(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodHead:
		return callHead
	case r.Method == http.MethodGet && q.Has("uploads"):
		return callList
	case r.Method == http.MethodPost && q.Has("uploads"):
		return callCreate
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return callComplete
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return callPart
	case r.Method == http.MethodPut:
		return callPut
	}
	return ""
}

// s3Proxy stands before a region's S3 server, and holds what is at a point until it is told to let go.
type s3Proxy struct {
	*httptest.Server
	reverse *httputil.ReverseProxy
	free    chan struct{} // closed by letGo

	mu     sync.Mutex
	points []*s3Point
	done   map[string]int // calls that the server has done, by object and call
}

type pointKey struct{}

func newS3Proxy(t *testing.T, region string) *s3Proxy {
	t.Helper()
	to, err := url.Parse(sys.S3Endpoint(region))
	require.NoError(t, err)
	p := &s3Proxy{free: make(chan struct{}), done: map[string]int{}}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // which is signed
		},
		ModifyResponse: p.reply,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.CloseClientConnections() // ends those that are held, if the client has not
		p.Close()
	})
	return p
}

// stop adds a point; part is 0 but for an UploadPart.
func (p *s3Proxy) stop(object, call string, part int, reply bool) *s3Point {
	at := &s3Point{point: newPoint(reply), hash: hashOf(object), call: call, part: part, answered: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.points = append(p.points, at)
	return at
}

// letGo forwards what is held, be the client there or not.
func (p *s3Proxy) letGo() { close(p.free) }

// count is how many calls for an object the server has done.
func (p *s3Proxy) count(object, call string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done[hashOf(object)+call]
}

// at takes a request's point, if it has one: another request of the kind is not stopped.
func (p *s3Proxy) at(r *http.Request) *s3Point {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, at := range p.points {
		if at.is(r) {
			p.points = append(p.points[:i:i], p.points[i+1:]...)
			return at
		}
	}
	return nil
}

func (p *s3Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := p.at(r)
	if at == nil {
		p.reverse.ServeHTTP(w, r)
		return
	}
	defer close(at.answered)
	if !at.reply {
		// All of it is here before anything happens to the client.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		at.reach()
		if !p.hold(r.Context()) {
			panic(http.ErrAbortHandler)
		}
		r = r.WithContext(context.WithoutCancel(r.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), pointKey{}, at)))
}

// hold returns true when the proxy lets go, and false if the client dies before.
func (p *s3Proxy) hold(ctx context.Context) bool {
	select {
	case <-p.free:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *s3Proxy) reply(resp *http.Response) error {
	r := resp.Request
	if parts := strings.Split(r.URL.Path, "/"); resp.StatusCode == http.StatusOK && len(parts) > 2 {
		p.mu.Lock()
		p.done[parts[len(parts)-2]+callOf(r)]++
		p.mu.Unlock()
	}
	at, ok := r.Context().Value(pointKey{}).(*s3Point)
	if !ok {
		return nil
	}
	at.status = resp.StatusCode
	if at.reply {
		at.reach()
		if !p.hold(r.Context()) {
			return r.Context().Err()
		}
	}
	return nil
}

// relay passes TCP connections on.
type relay struct {
	addr string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{} // both ends
}

// newRelay has serve pass on what comes from a client; it may return when either side is gone.
func newRelay(t *testing.T, target string, serve func(client, server net.Conn)) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{addr: l.Addr().String(), conns: map[net.Conn]struct{}{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil || !r.note(client, server) {
				client.Close()
				continue
			}
			all.Go(func() {
				serve(client, server)
				r.forget(client, server)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.cut()
		all.Wait()
	})
	return r
}

// note takes the two ends of a connection, unless the relay is cut.
func (r *relay) note(client, server net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		server.Close()
		return false
	}
	r.conns[client], r.conns[server] = struct{}{}, struct{}{}
	return true
}

func (r *relay) forget(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(r.conns, c)
	}
}

// cut ends all connections and takes no new ones until mend.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
	for c := range r.conns {
		c.Close()
	}
}

func (r *relay) mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
}

// newTemporalRelay passes everything on.
func newTemporalRelay(t *testing.T) *relay {
	t.Helper()
	return newRelay(t, sys.TemporalAddress(), func(client, server net.Conn) {
		go func() {
			_, _ = io.Copy(client, server)
			client.Close()
			server.Close()
		}()
		_, _ = io.Copy(server, client)
	})
}

// redisProxy stands before redis, and holds the news that a copy is present.
type redisProxy struct {
	*relay
	mu     sync.Mutex
	points map[string]*point // by key
}

func newRedisProxy(t *testing.T) *redisProxy {
	t.Helper()
	p := &redisProxy{points: map[string]*point{}}
	p.relay = newRelay(t, sys.RedisAddr(), p.serve)
	return p
}

// stop adds a point that all attempts are stopped at: the client of redis does not wait for long.
func (p *redisProxy) stop(region, object string, reply bool) *point {
	at := newPoint(reply)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.points[redisKey(region, object)] = at
	return at
}

func (p *redisProxy) at(command []string) *point {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, arg := range command {
		if at := p.points[arg]; at != nil && strings.Contains(strings.Join(command, " "), " present {") {
			return at
		}
	}
	return nil
}

func (p *redisProxy) serve(client, server net.Conn) {
	var held atomic.Pointer[point]
	go func() {
		defer client.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := server.Read(buf)
			if at := held.Load(); at != nil && n > 0 {
				at.reach()
				continue
			}
			if _, failed := client.Write(buf[:n]); err != nil || failed != nil {
				return
			}
		}
	}()
	for in := bufio.NewReader(client); ; {
		raw, command, err := readCommand(in)
		if err != nil {
			return
		}
		if at := p.at(command); at != nil {
			if !at.reply {
				at.reach()
				_, _ = io.Copy(io.Discard, in) // until the client gives up
				return
			}
			held.Store(at)
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
	}
}

// readCommand reads what a client of redis sends: an array of strings.
func readCommand(in *bufio.Reader) (raw []byte, command []string, err error) {
	number := func(kind string) (int, error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		raw = append(raw, line...)
		text, ok := strings.CutPrefix(strings.TrimSpace(line), kind)
		if !ok {
			return 0, fmt.Errorf("%q does not begin with %s", line, kind)
		}
		return strconv.Atoi(text)
	}
	length, err := number("*")
	for range length {
		n, err := number("$")
		if err != nil {
			return nil, nil, err
		}
		arg := make([]byte, n+len("\r\n"))
		if _, err := io.ReadFull(in, arg); err != nil {
			return nil, nil, err
		}
		raw = append(raw, arg...)
		command = append(command, string(arg[:n]))
	}
	return raw, command, err
}
