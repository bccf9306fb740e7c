package frontend

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const (
	// headTimeout bounds the HEAD of the bucket for a client's HEAD.
	headTimeout = 2 * time.Second
	// headFor is how long headers are kept. The times in an entry are no proof that the bucket
	// still has the same copy: they are equal for two copies that the bucket deletes at the same
	// midnight.
	headFor = time.Minute
	// headRetry is how long a failure is kept. Clients that waited for the HEAD share its failure.
	headRetry = headTimeout + time.Second
	// maxHeader bounds each header that is kept. A longer one is left out.
	maxHeader = 1 << 10
)

var (
	// errReplaced means that the bucket has another object than the entry describes.
	errReplaced = errors.New("the bucket has another object")
	// errLate means that the HEAD of the bucket still runs.
	errLate = errors.New("the bucket has not answered in time")
)

// A head keeps the headers of a copy, for HEAD requests of the mirror route.
type head struct {
	last atomic.Pointer[copyHead]
	asks sync.Mutex // Its holder HEADs the bucket.
}

// copyHead is what a GET of the copy answers, without the body, or why that is unknown.
type copyHead struct {
	header http.Header
	size   int64
	err    error

	asked time.Time // The start of the HEAD.
	until time.Time
	// Of the entry for which the bucket was asked.
	deadline, expires time.Time
	entrySize         int64
	sha256            string
}

// headOf returns the headers of a copy, for a HEAD of the mirror route. See head.of.
func (s *redirects) headOf(
	ctx context.Context, t *knownTarget, e cache.Entry, now time.Time, within time.Duration,
) (http.Header, error) {
	return t.mirror.head.of(ctx, t, e, now, within, func() { s.known.reweigh(t) })
}

// of returns the headers of the copy of a lead's target, within a time. It HEADs the bucket once
// for each entry and headFor. Concurrent requests share that HEAD. It ends even if no client is
// left: its result is kept. Then it calls kept.
func (h *head) of(
	ctx context.Context, t flight.Lead, e cache.Entry, now time.Time, within time.Duration, kept func(),
) (http.Header, error) {
	if c := h.last.Load(); c.describes(e, now) {
		return c.of(e)
	}
	arrived, asked := time.Now(), make(chan *copyHead, 1)
	go func() {
		asked <- h.ask(context.WithoutCancel(ctx), t, e, now, arrived)
		kept()
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case c := <-asked:
		return c.of(e)
	case <-timer.C:
		return nil, errLate
	}
}

// ask HEADs the bucket for a request that arrived at a time. It first waits for a running HEAD.
func (h *head) ask(ctx context.Context, lead flight.Lead, e cache.Entry, now, arrived time.Time) *copyHead {
	h.asks.Lock()
	defer h.asks.Unlock()
	// While redis is down, each request has an entry of its own. A HEAD that started since is as
	// good.
	if c := h.last.Load(); c.describes(e, now) || c != nil && c.asked.After(arrived) {
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	c := &copyHead{
		asked: time.Now(), until: now.Add(headFor), deadline: e.Deadline, expires: e.Expires, entrySize: e.Size, sha256: e.SHA256,
	}
	var t *flight.Target
	if t, c.err = lead.Target(); c.err == nil {
		var stored storage.Stored
		if stored, c.err = t.Pool.Bucket.Head(ctx, t.Object.Key()); c.err == nil {
			c.header, c.size = headers(stored), stored.Size
		}
	}
	if _, err := c.of(e); err != nil {
		c.until = now.Add(headRetry)
	}
	h.last.Store(c)
	return c
}

// describes reports whether the bucket was asked for the same entry lately.
func (c *copyHead) describes(e cache.Entry, now time.Time) bool {
	return c != nil && now.Before(c.until) && c.deadline.Equal(e.Deadline) && c.expires.Equal(e.Expires) &&
		c.entrySize == e.Size && c.sha256 == e.SHA256
}

// headSize estimates kept headers without their values, in bytes.
const headSize = 600

// bytes estimates the memory of the headers that are kept.
func (h *head) bytes() int {
	c := h.last.Load()
	if c == nil {
		return 0
	}
	n := headSize
	for _, values := range c.header {
		n += len(values[0])
	}
	return n
}

func (c *copyHead) of(e cache.Entry) (http.Header, error) {
	if c.err == nil && e.Size > 0 && c.size != e.Size {
		return nil, errReplaced
	}
	return c.header, c.err
}

// headers returns the headers that a GET of the copy has, except very long ones.
func headers(s storage.Stored) http.Header {
	h := http.Header{
		"Content-Length": decimal(int(s.Size)),
		"Accept-Ranges":  {"bytes"},
		"Cache-Control":  noStore,
	}
	for name, value := range map[string]string{
		"Content-Type":        s.Headers.ContentType,
		"Content-Encoding":    s.Headers.ContentEncoding,
		"Content-Disposition": s.Headers.ContentDisposition,
		"Content-Language":    s.Headers.ContentLanguage,
		"Etag":                s.ETag,
	} {
		if value != "" && len(value) <= maxHeader {
			h[name] = []string{value}
		}
	}
	if !s.Headers.LastModified.IsZero() {
		h["Last-Modified"] = []string{s.Headers.LastModified.UTC().Format(http.TimeFormat)}
	}
	return h
}

// writeHead answers a HEAD with the headers of a copy.
func writeHead(w http.ResponseWriter, header http.Header) {
	maps.Copy(w.Header(), header)
	w.WriteHeader(http.StatusOK)
}
