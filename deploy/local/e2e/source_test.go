package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

const mib = 1 << 20

// ranged is a source that serves ranges under a strong ETag. It counts the bytes and its open GETs.
type ranged struct {
	*source
	version int // Guarded by source.mu

	sent    atomic.Int64 // Bytes of bodies, except for the next field's
	dropped atomic.Int64 // Bytes sent to first requests for a large object, which are closed unread
	open    atomic.Int64 // GETs in flight
}

// newRanged serves size random bytes. If slow is not nil, it returns the gate of a range by the
// range's first byte. The source sends a range with a gate slowly until the gate is closed.
func newRanged(t *testing.T, size int, slow func(first int64) <-chan struct{}) *ranged {
	t.Helper()
	s := &ranged{}
	s.source = newSource(t, size, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
		s.mu.Lock()
		body, version := s.body, s.version
		s.mu.Unlock()
		w.Header().Set("ETag", fmt.Sprintf(`"v%d"`, version))
		w.Header().Set("Content-Type", "application/x-test")
		if r.Method == http.MethodGet {
			s.open.Add(1)
			defer s.open.Add(-1)
			counted := &counter{ResponseWriter: w, count: &s.sent, ctx: r.Context()}
			if r.Header.Get("Range") == "" && size > 8*mib {
				counted.count = &s.dropped
			}
			if slow != nil {
				var first int64
				_, _ = fmt.Sscanf(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "%d-", &first)
				counted.gate = slow(first)
			}
			w = counted
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
	delete(s.except, auditor.Fetches) // It serves every request
	return s
}

// change replaces the object's bytes and its ETag.
func (s *ranged) change() {
	body := make([]byte, len(s.body))
	_, _ = rand.Read(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body = body
	s.version++
}

// counter counts the bytes that it sends. It sends slowly until its gate, if it has one, is closed.
type counter struct {
	http.ResponseWriter
	count *atomic.Int64
	ctx   context.Context
	gate  <-chan struct{}
}

// chunk is the number of bytes that a slow range sends at a time. It keeps the range above
// source.min_rate.
const chunk = 4 << 10

func (c *counter) Write(p []byte) (sent int, err error) {
	for c.gate != nil && len(p)-sent > chunk {
		n, err := c.send(p[sent : sent+chunk])
		if sent += n; err != nil {
			return sent, err
		}
		c.ResponseWriter.(http.Flusher).Flush()
		select {
		case <-c.ctx.Done():
			return sent, c.ctx.Err()
		case <-c.gate:
			c.gate = nil
		case <-time.After(50 * time.Millisecond):
		}
	}
	n, err := c.send(p[sent:])
	return sent + n, err
}

// send counts bytes before it sends them, so that a client that has them finds them counted. It
// takes back the count of bytes that it could not send.
func (c *counter) send(p []byte) (int, error) {
	c.count.Add(int64(len(p)))
	n, err := c.ResponseWriter.Write(p)
	c.count.Add(int64(n - len(p)))
	return n, err
}

// after returns a function that gives the gate to each range that starts at first or later.
func after(first int64, gate <-chan struct{}) func(int64) <-chan struct{} {
	return func(at int64) <-chan struct{} {
		if at < first {
			return nil
		}
		return gate
	}
}
