package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// headDelay is the time before each response of the slow source.
const headDelay = 50 * time.Millisecond

// sourceProcess is the process of the sources.
type sourceProcess struct {
	*process.Server
	plain, slow string // URLs
}

func startSources(ctx context.Context) (*sourceProcess, error) {
	plain, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	slow, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	server, err := process.StartSelf(ctx, slow, runSources, plain, slow) // It listens on plain before it listens on slow.
	if err != nil {
		return nil, err
	}
	return &sourceProcess{Server: server, plain: "http://" + plain, slow: "http://" + slow}, nil
}

// count returns how many bytes of an object the sources have sent, over all requests.
func (s *sourceProcess) count(ctx context.Context, name string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.plain+"/count?name="+url.QueryEscape(name), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(b), 10, 64)
}

// serveSources is the main function of the sources' process.
func serveSources(plainAddress, slowAddress string) error {
	s := &sources{}
	plain, err := net.Listen("tcp", plainAddress) //nolint:noctx // It does not block
	if err != nil {
		return err
	}
	slow, err := net.Listen("tcp", slowAddress) //nolint:noctx // It does not block
	if err != nil {
		return errors.Join(err, plain.Close())
	}
	serve := func(l net.Listener, h http.Handler) func() error {
		return func() error {
			server := http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
			return server.Serve(l)
		}
	}
	return process.UntilOrphaned(serve(plain, s.handler(0)), serve(capped{slow}, s.handler(headDelay)))
}

// sources serve objects of any size and name. They count the bytes that they send of each name.
type sources struct {
	sent  sync.Map
	busy  sync.Map // The names of /single that are being sent
	paces sync.Map // The paces of /together, by name
}

func (s *sources) count(name string) *atomic.Int64 {
	n, _ := s.sent.LoadOrStore(name, new(atomic.Int64))
	return n.(*atomic.Int64)
}

// handler serves /bytes/SIZE/NAME with ranges, /stream/SIZE/NAME without, and /count?name=NAME.
// /together/SIZE/NAME is /bytes at slowRate, /each/SIZE/NAME at a sixth of it on each connection.
// /single/SIZE/NAME serves ranges, one request at a time. It answers 503 to any other.
func (s *sources) handler(delay time.Duration) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bytes/{size}/{name}", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, delay, true) })
	mux.HandleFunc("GET /stream/{size}/{name}", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, delay, false) })
	mux.HandleFunc("GET /single/{size}/{name}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if _, busy := s.busy.LoadOrStore(name, true); busy {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer s.busy.Delete(name)
		s.serve(w, r, delay, true)
	})
	mux.HandleFunc("GET /together/{size}/{name}", func(w http.ResponseWriter, r *http.Request) {
		shared, _ := s.paces.LoadOrStore(r.PathValue("name"), &pace{rate: slowRate})
		s.serve(slowResponse{w, shared.(*pace)}, r, delay, true)
	})
	mux.HandleFunc("GET /each/{size}/{name}", func(w http.ResponseWriter, r *http.Request) {
		s.serve(slowResponse{w, &pace{rate: slowRate / 6}}, r, delay, true)
	})
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strconv.FormatInt(s.count(r.URL.Query().Get("name")).Load(), 10))
	})
	return mux
}

// slowResponse is a response whose body is sent slowly.
type slowResponse struct {
	http.ResponseWriter
	pace *pace
}

func (r slowResponse) Write(p []byte) (int, error) {
	return slowWriter{r.ResponseWriter, r.pace}.Write(p)
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

// pattern is the content of all objects, repeated every 1 MiB. It does not compress.
var pattern = sync.OnceValue(func() []byte {
	b := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
})

// send counts bytes before it sends them, so that a client that has them finds them counted. It
// takes back the count of bytes that it could not send.
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
