package frontend

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// presignTimeout bounds the wait for credentials. The SDK caches them, so few requests wait at all.
const presignTimeout = 800 * time.Millisecond

// A copyAnswer is a redirect to a copy. Its text is made again for each request: kept texts would
// take most of a front end's memory.
type copyAnswer struct {
	storage.ShortLocation
	expires int64 // When the copy expires, as its entry says, in Unix seconds. Zero is never.
	until   int64 // When to prepare a new answer, in Unix nanoseconds. Zero is never.
}

// answers holds the last answers that were prepared for GET and HEAD of one target.
type answers struct{ get, head atomic.Pointer[copyAnswer] }

// own returns the bytes of text that the answers share with no others.
func (a *answers) own() (n int) {
	for _, last := range []*atomic.Pointer[copyAnswer]{&a.get, &a.head} {
		if c := last.Load(); c != nil {
			n += c.Own()
		}
	}
	return n
}

// prepare returns the answer to the request, the last answer if it is still good. A presigned URL is
// reused for half its lifetime, so every client gets at least the other half to start its download.
func (s *redirects) prepare(ctx context.Context, r *redirectRequest, expires, now time.Time) (*copyAnswer, error) {
	last := &r.answers.get
	if r.method == http.MethodHead {
		last = &r.answers.head
	}
	if c := last.Load(); c != nil && c.expires == unixSeconds(expires) && (c.until == 0 || now.UnixNano() < c.until) {
		return c, nil
	}
	// A cancelled context doesn't prove that the client left: a client that half-closed its
	// connection looks the same, and reads the answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(presignTimeout, r.left(now)))
	defer cancel()
	key := string(r.appendCopy(nil))
	location, err := r.kind.Pool.Bucket.Location(ctx, r.method, key, expires)
	if err != nil {
		return nil, err
	}
	c := &copyAnswer{ShortLocation: r.kind.forms.Shorten(location.URL, key), expires: unixSeconds(expires)}
	if !location.Until.IsZero() {
		c.until = now.Add(location.Until.Sub(now) / 2).UnixNano()
	}
	last.Store(c)
	if c.Own() > 0 {
		s.known.reweigh(r.knownTarget)
	}
	return c, nil
}

// unixSeconds is the precision of an entry's expiry.
func unixSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// The text of a copyBody around its URL.
const (
	copyBodyStart = `{"status":"present","url":"`
	copyBodyEnd   = `"}` + "\n"
)

// text returns the URL as a header's value, and the body. Both are in the buffer, unless the body
// needs escapes. It allocates nothing once the buffer has the room.
func (a *copyAnswer) text(t *knownTarget, b *conns.Buffer) (location []string, body []byte) {
	buf := t.appendCopy(b.Bytes[:0])
	start := len(buf)
	buf = append(buf, copyBodyStart...)
	from := len(buf)
	buf = a.Append(buf, buf[:start])
	to := len(buf)
	buf = append(buf, copyBodyEnd...)
	b.Bytes = buf
	// No byte of the URL changes before the response is sent: see conns.BufferOf.
	b.Value[0] = unsafe.String(&buf[from], to-from) //nolint:gosec // See above.
	if !a.Plain() {
		return b.Value[:], render(copyBody{Status: cache.Present, URL: b.Value[0]})
	}
	return b.Value[:], buf[start:]
}
