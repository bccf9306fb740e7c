package origin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// First requests the whole object by a plain GET, the request that every client makes. Only the
// response to a plain GET says something about the object; it must be a 200. [Body.Meta] describes
// the object, and the body may be closed unread.
//
// The body has exactly the length that the response declares. If it declares none, the body ends
// with its framing. Without framing ([Body.Framed]) it ends with the connection, and the caller
// decides whether to accept it. The body matches the digests in the response. ctx bounds reading the
// body as well. The caller closes the body.
//
// First waits at most 2 s for one of the connections that are reserved for first requests, and then
// fails with ClassBusy. It does so at once while many first requests to the host wait in vain.
//
// Errors, the body's included, are *Error, or the context's error, wrapped, if the caller's context
// is done.
func (c *Client) First(ctx context.Context, canonical string) (*Body, error) {
	return c.whole(ctx, canonical, firsts)
}

// Get is [Client.First] for a large object. It takes one of the connections for streams, and waits
// for it as long as ctx allows.
func (c *Client) Get(ctx context.Context, canonical string) (*Body, error) {
	return c.whole(ctx, canonical, streams)
}

func (c *Client) whole(ctx context.Context, canonical string, b budget) (*Body, error) {
	resp, hops, err := c.follow(ctx, http.MethodGet, canonical, nil, b)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		closeUnread(resp)
		return nil, c.statusError(resp)
	}
	meta, err := metaOf(resp, hops)
	if err != nil {
		closeUnread(resp)
		return nil, err
	}
	return newBody(ctx, resp, meta, resp.ContentLength, NewVerifier(meta.Digests...)), nil
}

// GetRange requests n bytes from offset off, n > 0, of the object that a plain GET described as
// want. want must be [Meta.Rangeable]: ranges of two versions must never be mixed, and nothing less
// than a strong ETag tells versions apart. The response must be a 206 of exactly these bytes and of
// exactly that total. It must agree with want in ETag and content coding.
//
// The body and the errors are as with Get, for n bytes, except that no digest is checked: see
// [Verifier]. Any other response is ClassRangeRefused, and so is every other failure of a request,
// its redirects included. It says nothing about the object: use Get to learn more. Only a canonical
// URL that the policy does not allow is ClassInvalidURL.
func (c *Client) GetRange(ctx context.Context, canonical string, want Meta, off, n int64) (*Body, error) {
	if off < 0 || n <= 0 || n > want.Size-off || !want.Rangeable() {
		return nil, &Error{Class: ClassUnverifiable, Permanent: true,
			Text: fmt.Sprintf("range of %d bytes at %d of %d needs a size and a strong etag", n, off, want.Size)}
	}
	if err := c.Check(canonical); err != nil {
		return nil, err
	}
	last := off + n - 1
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", off, last)}}
	resp, _, err := c.follow(ctx, http.MethodGet, canonical, header, bulk)
	if failure, ok := errors.AsType[*Error](err); ok {
		failure.Class, failure.Permanent = ClassRangeRefused, false
	}
	if err != nil {
		return nil, err
	}
	slot := slotOf(resp)
	if why := wrongRange(resp, want, off, last); why != "" {
		err := rangeRefused(resp, why)
		if err.Retry() {
			err.Crowded = slot.refused()
		}
		closeUnread(resp)
		return nil, err
	}
	slot.served()
	return newBody(ctx, resp, want, n, NewVerifier()), nil
}

// wrongRange returns why a response is not the range from first to last of the object, or nothing
// if it is.
func wrongRange(resp *http.Response, want Meta, first, last int64) string {
	got, ok := parseContentRange(resp.Header.Get("Content-Range"))
	switch {
	case resp.StatusCode != http.StatusPartialContent:
		return fmt.Sprintf("status %d", resp.StatusCode)
	case !ok || got.first != first || got.last != last:
		return "wrong Content-Range"
	case got.total != want.Size:
		return "another total length"
	case resp.ContentLength >= 0 && resp.ContentLength != last-first+1:
		return "Content-Length and Content-Range disagree"
	case resp.Header.Get("ETag") != want.ETag:
		return "another etag"
	case contentEncoding(resp.Header) != want.ContentEncoding:
		return "another content encoding"
	}
	return ""
}

// isStrong reports whether an entity tag promises equal bytes (RFC 9110, section 8.8.3). A tag
// without quotes promises nothing.
func isStrong(etag string) bool {
	return len(etag) >= 2 && strings.HasPrefix(etag, `"`) && strings.HasSuffix(etag, `"`)
}

// contentRange is the range that a 206 declares: bytes first to last, both included, of total;
// total is -1 if it is not known.
type contentRange struct{ first, last, total int64 }

// parseContentRange parses a Content-Range of bytes (RFC 9110, section 14.4).
func parseContentRange(value string) (contentRange, bool) {
	unit, spec, _ := strings.Cut(value, " ")
	interval, totalText, _ := strings.Cut(spec, "/")
	firstText, lastText, _ := strings.Cut(interval, "-")
	first, ok1 := parseLength(firstText)
	last, ok2 := parseLength(lastText)
	total, ok3 := int64(-1), true
	if totalText != "*" {
		total, ok3 = parseLength(totalText)
	}
	valid := strings.EqualFold(unit, "bytes") && ok1 && ok2 && ok3 && first <= last && (total < 0 || last < total)
	return contentRange{first, last, total}, valid
}

func parseLength(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && isDigits(s)
}
