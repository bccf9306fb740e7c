package frontend

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// locationTimeout bounds what credentials may take to come. They are kept, so that hardly any request waits for them.
const locationTimeout = 800 * time.Millisecond

// target is what a redirect's path names, worked out once, and the answers that lead to its copy.
type target struct {
	pool   *Pool
	object storage.Object
	key    string // of the entry

	get, head atomic.Pointer[hit]
}

// hit is the answer that leads to a copy, ready to be written.
type hit struct {
	location []string // as a header's value
	body     string

	expires time.Time // of the copy, as the entry has it
	until   time.Time // when it is to be made anew; zero for never
}

func newTarget(p *Pool, o storage.Object) *target {
	return &target{pool: p, object: o, key: cache.Key(o.PoolID(), o.Hash())}
}

// hit returns the answer to method. A presigned location is used for half of its time, so that whoever follows it has the
// other half to begin with.
func (t *target) hit(ctx context.Context, method string, expires, now time.Time) (*hit, error) {
	kept := &t.get
	if method == http.MethodHead {
		kept = &t.head
	}
	if h := kept.Load(); h != nil && h.expires.Equal(expires) && (h.until.IsZero() || now.Before(h.until)) {
		return h, nil
	}
	// A client that is gone is answered too: one that only closed its side of the connection looks the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), locationTimeout)
	defer cancel()
	location, err := t.pool.Bucket.Location(ctx, method, t.object.Key(), expires)
	if err != nil {
		return nil, err
	}
	h := newHit(location.URL, expires)
	if !location.Until.IsZero() {
		h.until = now.Add(location.Until.Sub(now) / 2)
	}
	kept.Store(h)
	return h, nil
}

func newHit(url string, expires time.Time) *hit {
	body := string(render(copyBody{Status: cache.Present, URL: url}))
	// The URL is in the body: it need not be in memory twice.
	if i := strings.Index(body, url); i >= 0 {
		url = body[i : i+len(url)]
	}
	return &hit{location: []string{url}, body: body, expires: expires}
}
