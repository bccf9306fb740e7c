package origin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Get asks for the whole object that Head described as want. The answer must be a 200 that agrees with want in length,
// strong ETag (which is also sent as If-Match) and content coding, and whose end can be told from a lost connection:
// by its length, by chunking, or by HTTP/2.
//
// The reader returns io.EOF only after exactly want.Size bytes; if that is negative, at the end of the framing. A body that ends
// short of it, breaks off, or goes on past it gives an *Error of ClassTruncated, and then the last byte is withheld, so
// that counting bytes is enough to notice. ctx bounds the reading as well. The caller closes the reader.
//
// Errors are *Error, or the context's error, wrapped, if the caller's context is done; the reader's too.
func (c *Client) Get(ctx context.Context, canonical string, want Meta) (io.ReadCloser, error) {
	resp, err := c.get(ctx, canonical, want, http.StatusOK, "")
	if err != nil {
		return nil, err
	}
	if err := checkFraming(resp, want.Size); err != nil {
		closeUnread(resp)
		return nil, err
	}
	return newBody(ctx, resp, want.Size), nil
}

// GetRange asks for n bytes from offset off, n > 0, of the object that Head described as want, which must have a Size.
// The answer must be a 206 of exactly these bytes and of exactly that total, and agree with want as in Get. Ranges of two
// versions must never be mixed, so in want of a strong ETag the weak one must be the same, and in want of that the
// Last-Modified.
//
// The reader and the errors are as with Get, for n bytes. A source that ignores the range gives ClassBadHTTPStatus with
// Status 200: Get is the way then.
func (c *Client) GetRange(ctx context.Context, canonical string, want Meta, off, n int64) (io.ReadCloser, error) {
	if off < 0 || n <= 0 || n > want.Size-off {
		return nil, &Error{Class: ClassUnverifiable, Permanent: true,
			Text: fmt.Sprintf("range of %d bytes at %d does not lie within a size of %d", n, off, want.Size)}
	}
	last := off + n - 1
	resp, err := c.get(ctx, canonical, want, http.StatusPartialContent, fmt.Sprintf("bytes=%d-%d", off, last))
	if err != nil {
		return nil, err
	}
	if err := checkRange(resp, want, off, last); err != nil {
		closeUnread(resp)
		return nil, err
	}
	return newBody(ctx, resp, n), nil
}

// get sends a GET and checks what whole and ranged answers have in common.
func (c *Client) get(ctx context.Context, canonical string, want Meta, status int, byteRange string) (*http.Response, error) {
	header := http.Header{}
	if byteRange != "" {
		header.Set("Range", byteRange)
	}
	if isStrong(want.ETag) {
		header.Set("If-Match", want.ETag)
	}
	resp, _, err := c.follow(ctx, http.MethodGet, canonical, header)
	if err != nil {
		return nil, err
	}
	if err := checkHead(resp, want, status, header); err != nil {
		closeUnread(resp)
		return nil, err
	}
	return resp, nil
}

func checkHead(resp *http.Response, want Meta, status int, asked http.Header) error {
	host := resp.Request.URL.Host
	switch {
	case resp.StatusCode == http.StatusPreconditionFailed && asked.Get("If-Match") != "":
		return changed(host, "it has another etag")
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && asked.Get("Range") != "":
		return changed(host, "it is shorter")
	case resp.StatusCode != status:
		return statusError(resp)
	case isStrong(want.ETag) && resp.Header.Get("ETag") != want.ETag:
		return changed(host, "it has another etag")
	case contentEncoding(resp.Header) != want.ContentEncoding:
		return changed(host, "it has another content encoding")
	}
	return nil
}

// checkFraming makes sure of the length, and that the end of the body will be told apart from the end of a connection:
// Go reports a body with neither length nor chunking as complete wherever it is cut.
func checkFraming(resp *http.Response, size int64) error {
	host, length := resp.Request.URL.Host, resp.ContentLength
	switch {
	case length >= 0 && size >= 0 && length != size:
		return changed(host, "it has another length")
	case length < 0 && resp.ProtoMajor < 2 && !slices.Contains(resp.TransferEncoding, "chunked"):
		return unverifiable(host, "neither length nor chunking")
	}
	return nil
}

func checkRange(resp *http.Response, want Meta, first, last int64) error {
	host := resp.Request.URL.Host
	got, ok := parseContentRange(resp.Header.Get("Content-Range"))
	switch {
	case !ok || got.first != first || got.last != last || got.total < 0:
		return unverifiable(host, "wrong Content-Range")
	case got.total != want.Size:
		return changed(host, "it has another length")
	case resp.ContentLength >= 0 && resp.ContentLength != last-first+1:
		return unverifiable(host, "Content-Length and Content-Range disagree")
	case !isStrong(want.ETag) && !sameWeakly(resp, want):
		return changed(host, "it has another weak etag or modification time")
	}
	return checkFraming(resp, last-first+1)
}

func sameWeakly(resp *http.Response, want Meta) bool {
	if want.ETag != "" {
		return resp.Header.Get("ETag") == want.ETag
	}
	return want.LastModified == "" || resp.Header.Get("Last-Modified") == want.LastModified
}

// isStrong tells whether an entity tag promises equal bytes (RFC 9110, section 8.8.3). A tag without quotes promises
// nothing, and would make a malformed If-Match.
func isStrong(etag string) bool {
	return len(etag) >= 2 && strings.HasPrefix(etag, `"`) && strings.HasSuffix(etag, `"`)
}

// contentRange is what a 206 says it holds: bytes first to last, both included, of total; total is -1 if not known.
type contentRange struct{ first, last, total int64 }

// parseContentRange reads a Content-Range of bytes (RFC 9110, section 14.4).
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
