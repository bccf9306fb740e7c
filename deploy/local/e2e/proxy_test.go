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

// point is a place at which a proxy stops a copy: the proxy holds a request, or the reply to it.
type point struct {
	reply   bool          // Hold the reply, after the server has handled the request
	reached chan struct{} // Closed when the copy reaches the point
	once    sync.Once
}

func newPoint(reply bool) *point { return &point{reply: reply, reached: make(chan struct{})} }

func (p *point) reach() { p.once.Do(func() { close(p.reached) }) }

// wait returns when the copy reaches the point.
func (p *point) wait(t *testing.T, what string) {
	t.Helper()
	select {
	case <-p.reached:
	case <-background(t).Done():
		require.Fail(t, "never reached", what)
	}
}

// Names of S3 calls.
const (
	callHead     = "HeadObject"
	callList     = "ListMultipartUploads"
	callCreate   = "CreateMultipartUpload"
	callPart     = "UploadPart"
	callComplete = "CompleteMultipartUpload"
	callPut      = "PutObject"
)

// s3Point is a point at an S3 call for one object.
type s3Point struct {
	*point
	hash, call string
	part       int // Of an UploadPart; otherwise 0
	answered   chan struct{}
	status     int // Of the server's answer. Read it after answered is closed.
}

func (p *s3Point) matches(r *http.Request) bool {
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

// s3Proxy forwards to a region's S3 server. Until release, it holds the request or the reply of
// each point.
type s3Proxy struct {
	*httptest.Server
	reverse  *httputil.ReverseProxy
	released chan struct{} // Closed by release

	mu     sync.Mutex
	points []*s3Point
	done   map[string]int // Calls that the server answered with 200, by object and call
}

type pointKey struct{}

func newS3Proxy(t *testing.T, region string) *s3Proxy {
	t.Helper()
	to, err := url.Parse(sys.S3Endpoint(region))
	require.NoError(t, err)
	p := &s3Proxy{released: make(chan struct{}), done: map[string]int{}}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // The signature covers it
		},
		ModifyResponse: p.reply,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.CloseClientConnections() // Ends the held connections
		p.Close()
	})
	return p
}

// stop adds a point. part is 0 unless call is an UploadPart.
func (p *s3Proxy) stop(object, call string, part int, reply bool) *s3Point {
	at := &s3Point{point: newPoint(reply), hash: hashOf(object), call: call, part: part, answered: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.points = append(p.points, at)
	return at
}

// release forwards the held requests and replies. A client that disconnects afterwards does not end
// its request.
func (p *s3Proxy) release() { close(p.released) }

// count returns the number of calls for an object that the server answered with 200.
func (p *s3Proxy) count(object, call string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done[hashOf(object)+call]
}

// at removes and returns the point of a request, or nil. A point stops only the first such request.
func (p *s3Proxy) at(r *http.Request) *s3Point {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, at := range p.points {
		if at.matches(r) {
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
		// Read the whole body before the test kills or freezes the client.
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

// hold returns true after release, and false if the client disconnects before.
func (p *s3Proxy) hold(ctx context.Context) bool {
	select {
	case <-p.released:
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

// relay forwards TCP connections.
type relay struct {
	addr string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{} // Both ends of each connection
}

// newRelay starts a relay to target. serve forwards one connection, and may return when either side
// disconnects.
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
		r.disconnect()
		all.Wait()
	})
	return r
}

// note records both ends of a connection. It returns false while the relay is disconnected.
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

// disconnect closes all connections, and refuses new connections until reconnect.
func (r *relay) disconnect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
	for c := range r.conns {
		c.Close()
	}
}

// reconnect accepts connections again.
func (r *relay) reconnect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
}

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

// redisProxy forwards to redis. It holds the commands that mark copies present, or the replies.
type redisProxy struct {
	*relay
	mu     sync.Mutex
	points map[string]*point // By redis key
}

func newRedisProxy(t *testing.T) *redisProxy {
	t.Helper()
	p := &redisProxy{points: map[string]*point{}}
	p.relay = newRelay(t, sys.RedisAddr(), p.serve)
	return p
}

// stop adds a point. It stops every attempt at the command, because a redis client soon gives up.
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
				_, _ = io.Copy(io.Discard, in) // Until the client gives up
				return
			}
			held.Store(at)
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
	}
}

// readCommand reads a command of a redis client: an array of strings.
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
