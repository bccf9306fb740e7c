package frontend

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// headTimeout bounds the HEAD of the bucket for a client's HEAD.
const headTimeout = 2 * time.Second

// errReplaced means that the bucket has another object than the entry describes.
var errReplaced = errors.New("the bucket has another object")

// A head keeps the headers of a copy, for HEAD requests of the mirror route.
type head struct{ last atomic.Pointer[copyHead] }

// copyHead is what a GET of the copy answers, without the body.
type copyHead struct {
	header http.Header

	deadline, expires time.Time // Of the entry for which the bucket was asked.
}

// of returns the headers of a target's copy. It HEADs the bucket once for each entry: concurrent
// first requests may do so side by side.
func (h *head) of(ctx context.Context, t *flight.Target, e cache.Entry) (http.Header, error) {
	if c := h.last.Load(); c != nil && c.deadline.Equal(e.Deadline) && c.expires.Equal(e.Expires) {
		return c.header, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), headTimeout)
	defer cancel()
	stored, err := t.Pool.Bucket.Head(ctx, t.Object.Key())
	if err != nil {
		return nil, err
	}
	if e.Size > 0 && stored.Size != e.Size {
		return nil, errReplaced
	}
	c := &copyHead{header: headers(stored), deadline: e.Deadline, expires: e.Expires}
	h.last.Store(c)
	return c.header, nil
}

// headers returns the headers that a GET of the copy has.
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
		if value != "" {
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
