package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// What the slow source does.
const (
	headDelay = 50 * time.Millisecond // before each answer
	connRate  = 25e6                  // bytes a second on each connection
)

// addresses are where the sources listen; they write them to standard output as JSON when they do.
type addresses struct{ Plain, Slow string }

// serveSources runs until stdin ends, which it does with the process that started this one.
func serveSources(stdin io.Reader, stdout io.Writer) error {
	s := &sources{}
	plain, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it has nothing to wait for
	if err != nil {
		return err
	}
	slow, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // likewise
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	serve := func(l net.Listener, h http.Handler) {
		server := http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		failed <- server.Serve(l)
	}
	go serve(plain, s.handler(0))
	go serve(capped{slow}, s.handler(headDelay))
	if err := json.NewEncoder(stdout).Encode(addresses{"http://" + plain.Addr().String(), "http://" + slow.Addr().String()}); err != nil {
		return err
	}
	go func() {
		_, err := io.Copy(io.Discard, stdin)
		failed <- err
	}()
	return <-failed
}

// sources serve objects of any size and name, and count the bytes of each name that they send.
type sources struct{ sent sync.Map }

func (s *sources) count(name string) *atomic.Int64 {
	n, _ := s.sent.LoadOrStore(name, new(atomic.Int64))
	return n.(*atomic.Int64)
}

// handler serves /bytes/SIZE/NAME with ranges, /stream/SIZE/NAME without, and /count?name=NAME.
func (s *sources) handler(delay time.Duration) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bytes/{size}/{name}", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, delay, true) })
	mux.HandleFunc("GET /stream/{size}/{name}", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, delay, false) })
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strconv.FormatInt(s.count(r.URL.Query().Get("name")).Load(), 10))
	})
	return mux
}

func (s *sources) serve(w http.ResponseWriter, r *http.Request, delay time.Duration, ranges bool) {
	size, err := strconv.ParseInt(r.PathValue("size"), 10, 64)
	if err != nil {
		http.Error(w, "the size is not a number", http.StatusBadRequest)
		return
	}
	if delay > 0 {
		<-time.After(delay)
	}
	h := w.Header()
	h.Set("ETag", fmt.Sprintf(`"%d"`, size))
	h.Set("Content-Type", "application/octet-stream")
	first, last, status := int64(0), size-1, http.StatusOK
	if ranges {
		h.Set("Accept-Ranges", "bytes")
		var from, to int64
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 && from <= to && to < size {
			first, last, status = from, to, http.StatusPartialContent
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, size))
		}
	}
	h.Set("Content-Length", strconv.FormatInt(last-first+1, 10))
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		send(w, first, last+1, s.count(r.PathValue("name")))
	}
}

// pattern is all objects: what stands at an offset stands there again 1 MiB later. It can't be compressed.
var pattern = sync.OnceValue(func() []byte {
	b := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
})

// send counts bytes before they are sent, so that whoever has them finds them counted, and corrects that if they were not.
func send(w io.Writer, off, end int64, sent *atomic.Int64) {
	block := pattern()
	for off < end {
		b := block[off%int64(len(block)):]
		b = b[:min(int64(len(b)), end-off)]
		sent.Add(int64(len(b)))
		n, err := w.Write(b)
		if err != nil {
			sent.Add(int64(n - len(b)))
			return
		}
		off += int64(n)
	}
}

// capped makes connections that send no faster than connRate.
type capped struct{ net.Listener }

func (c capped) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &cappedConn{Conn: conn}, nil
}

type cappedConn struct {
	net.Conn
	due time.Time // when what was sent so far may have been
}

// Limits of how unevenly a capped connection sends.
const (
	capChunk  = 64 << 10              // bytes at a time
	capCredit = 20 * time.Millisecond // that a timer which rang late may make up for
)

func (c *cappedConn) Write(p []byte) (sent int, err error) {
	for sent < len(p) && err == nil {
		now := time.Now()
		if wait := c.due.Sub(now); wait > 0 {
			<-time.After(wait)
		} else if wait < -capCredit {
			c.due = now.Add(-capCredit)
		}
		var n int
		n, err = c.Conn.Write(p[sent:min(len(p), sent+capChunk)])
		sent += n
		c.due = c.due.Add(time.Duration(float64(n) / connRate * float64(time.Second)))
	}
	return sent, err
}
