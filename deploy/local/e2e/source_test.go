package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

const mib = 1 << 20

// ranged is a source that serves ranges under a strong ETag. It counts the bytes and its open GETs. Bytes
// on their way to a range that the product gave up, and continued later, count once.
type ranged struct {
	*source
	version int                        // Guarded by source.mu
	rate    atomic.Pointer[sharedRate] // Of all bodies together; nil is no limit
	begun   []sentSpan                 // All requested ranges, without their ends; guarded by source.mu
	cut     []sentSpan                 // The bytes sent of ranges that the client gave up; guarded by source.mu

	sent    atomic.Int64 // Bytes of bodies, except for the next field's
	dropped atomic.Int64 // Bytes sent to first requests for a large object, which are closed unread
	open    atomic.Int64 // GETs in flight
}

// newRanged serves size random bytes. If slow is not nil, it returns the gate of a range by the
// range's first byte. The source sends a range with a gate slowly until the gate is closed.
func newRanged(t *testing.T, size int, slow func(first int64) <-chan struct{}) *ranged {
	t.Helper()
	s, ready := &ranged{}, make(chan struct{})
	s.source = newSource(t, size, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
		<-ready // Tells the race detector that s.source is set.
		s.mu.Lock()
		body, version := s.body, s.version
		s.mu.Unlock()
		w.Header().Set("ETag", fmt.Sprintf(`"v%d"`, version))
		w.Header().Set("Content-Type", "application/x-test")
		if r.Method == http.MethodGet {
			s.open.Add(1)
			defer s.open.Add(-1)
			counted := &counter{ResponseWriter: w, count: &s.sent, ctx: r.Context(), rate: s.rate.Load()}
			if r.Header.Get("Range") == "" && size > 8*mib {
				counted.count = &s.dropped
			}
			var first, last int64
			n, _ := fmt.Sscanf(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "%d-%d", &first, &last)
			if slow != nil {
				counted.gate = slow(first)
			}
			if n == 2 {
				s.begin(sentSpan{r.URL.Path, first, last + 1})
				defer func() { s.end(sentSpan{r.URL.Path, first, first + counted.sent}, last+1) }()
			}
			w = counted
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
	close(ready)
	delete(s.except, auditor.Fetches) // It serves every request
	return s
}

// sentSpan is a range of bytes of an object.
type sentSpan struct {
	path       string
	first, end int64
}

// mostOnTheirWay is how many bytes the product may not have received of a range that it gives up.
const mostOnTheirWay = 512 << 10

// onTheirWay returns how many bytes of a range were on their way when the product gave it up, if next
// continues it.
func (r sentSpan) onTheirWay(next sentSpan) int64 {
	if n := r.end - next.first; r.path == next.path && r.first < next.first && n > 0 && n <= mostOnTheirWay {
		return n
	}
	return 0
}

func (s *ranged) begin(r sentSpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = append(s.begun, r)
	for i, c := range s.cut {
		if n := c.onTheirWay(r); n > 0 {
			s.sent.Add(-n)
			s.cut = slices.Delete(s.cut, i, i+1)
			return
		}
	}
}

// end notes the end of a response to a range that should have ended at want.
func (s *ranged) end(r sentSpan, want int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.end == want {
		return
	}
	for _, next := range s.begun {
		if n := r.onTheirWay(next); n > 0 {
			s.sent.Add(-n)
			return
		}
	}
	s.cut = append(s.cut, r)
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
	rate  *sharedRate
	gate  <-chan struct{}
	sent  int64 // Bytes of this response
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
	c.rate.wait(len(p))
	c.count.Add(int64(len(p)))
	n, err := c.ResponseWriter.Write(p)
	c.count.Add(int64(n - len(p)))
	c.sent += int64(n)
	return n, err
}

// sharedRate is a rate of sending that responses share.
type sharedRate struct {
	perSecond float64 // Bytes
	mu        sync.Mutex
	due       time.Time
}

// wait reserves n bytes, and waits until they are due.
func (r *sharedRate) wait(n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	now := time.Now()
	if credit := now.Add(-20 * time.Millisecond); r.due.Before(credit) {
		r.due = credit
	}
	r.due = r.due.Add(time.Duration(float64(n) / r.perSecond * float64(time.Second)))
	wait := r.due.Sub(now)
	r.mu.Unlock()
	if wait > 0 {
		<-time.After(wait)
	}
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
