package frontend

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// presignTimeout bounds the wait for credentials. The SDK caches them, so few requests wait at all.
const presignTimeout = 800 * time.Millisecond

// A copyAnswer is a redirect to a copy, ready to be written.
type copyAnswer struct {
	location []string // As a header's value.
	body     string

	expires time.Time // When the copy expires, as its entry says.
	until   time.Time // When to prepare a new answer; zero for never.
}

// answers holds the last answers that were prepared for GET and HEAD of one target.
type answers struct{ get, head atomic.Pointer[copyAnswer] }

// prepare returns the answer to the request, the last one if it is still good. A presigned URL is
// reused for half its lifetime, so every client gets at least the other half to start its download.
func (a *answers) prepare(ctx context.Context, r *redirectRequest, expires, now time.Time) (*copyAnswer, error) {
	last := &a.get
	if r.method == http.MethodHead {
		last = &a.head
	}
	if c := last.Load(); c != nil && c.expires.Equal(expires) && (c.until.IsZero() || now.Before(c.until)) {
		return c, nil
	}
	// A cancelled context doesn't prove that the client left: a client that half-closed its
	// connection looks the same, and reads the answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(presignTimeout, r.left(now)))
	defer cancel()
	location, err := r.Pool.Bucket.Location(ctx, r.method, r.Object.Key(), expires)
	if err != nil {
		return nil, err
	}
	c := newCopyAnswer(location.URL, expires)
	if !location.Until.IsZero() {
		c.until = now.Add(location.Until.Sub(now) / 2)
	}
	last.Store(c)
	return c, nil
}

func newCopyAnswer(url string, expires time.Time) *copyAnswer {
	body := string(render(copyBody{Status: cache.Present, URL: url}))
	// The body contains the URL: share its memory.
	if i := strings.Index(body, url); i >= 0 {
		url = body[i : i+len(url)]
	}
	return &copyAnswer{location: []string{url}, body: body, expires: expires}
}
