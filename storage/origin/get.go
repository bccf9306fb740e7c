package origin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Get requests the whole object that Head described as want. The response must be a 200 that agrees
// with want in length, strong ETag (which is also sent as If-Match), content coding and digests.
//
// The body has exactly want.Size bytes. If want.Size is negative, the response's own length counts.
// If the response has none, the body ends with its framing. Without framing ([Body.Framed]) it ends
// with the connection, and the caller decides whether to accept it. The body matches want.Digests
// and the digests in the response itself. ctx bounds reading the body as well. The caller closes
// the body.
//
// Errors, the body's included, are *Error, or the context's error, wrapped, if the caller's context
// is done.
func (c *Client) Get(ctx context.Context, canonical string, want Meta) (*Body, error) {
	resp, err := c.get(ctx, canonical, want, http.StatusOK, "")
	if err != nil {
		return nil, err
	}
	verifier, err := checkFull(resp, want)
	if err != nil {
		closeUnread(resp)
		return nil, err
	}
	return newBody(ctx, resp, want.Size, verifier), nil
}

// GetRange requests n bytes from offset off, n > 0, of the object that Head described as want. want
// must have a Size and a strong ETag: ranges of two versions must never be mixed, and nothing less
// tells versions apart. The response must be a 206 of exactly these bytes and of exactly that
// total. It must agree with want in strong ETag and content coding.
//
// The body and the errors are as with Get, for n bytes, except that no digest is checked: see
// [Verifier]. A source that ignores the range gives ClassBadHTTPStatus with Status 200. Use Get for
// such a source.
func (c *Client) GetRange(ctx context.Context, canonical string, want Meta, off, n int64) (*Body, error) {
	switch {
	case off < 0 || n <= 0 || n > want.Size-off:
		return nil, &Error{Class: ClassUnverifiable, Permanent: true,
			Text: fmt.Sprintf("range of %d bytes at %d is outside the size of %d", n, off, want.Size)}
	case !isStrong(want.ETag):
		return nil, &Error{Class: ClassUnverifiable, Permanent: true, Text: "ranges need a strong etag"}
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
	return newBody(ctx, resp, n, NewVerifier()), nil
}

// get sends a GET and makes the checks that whole and ranged responses have in common.
func (c *Client) get(
	ctx context.Context, canonical string, want Meta, status int, byteRange string,
) (*http.Response, error) {
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
	if err := checkResponse(resp, want, status, header); err != nil {
		closeUnread(resp)
		return nil, err
	}
	return resp, nil
}

func checkResponse(resp *http.Response, want Meta, status int, asked http.Header) error {
	host := resp.Request.URL.Host
	switch {
	case resp.StatusCode == http.StatusPreconditionFailed && asked.Get("If-Match") != "":
		return changed(host, "its etag differs")
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && asked.Get("Range") != "":
		return changed(host, "it is shorter")
	case resp.StatusCode != status:
		return statusError(resp)
	case isStrong(want.ETag) && resp.Header.Get("ETag") != want.ETag:
		return changed(host, "its etag differs")
	case contentEncoding(resp.Header) != want.ContentEncoding:
		return changed(host, "its content encoding differs")
	}
	return nil
}

// checkFull makes the checks that are specific to a response with the whole object, and returns the
// Verifier of its bytes.
func checkFull(resp *http.Response, want Meta) (*Verifier, error) {
	if resp.ContentLength >= 0 && want.Size >= 0 && resp.ContentLength != want.Size {
		return nil, changed(resp.Request.URL.Host, "its length differs")
	}
	return verifierOf(resp, want.Digests)
}

func checkRange(resp *http.Response, want Meta, first, last int64) error {
	host := resp.Request.URL.Host
	got, ok := parseContentRange(resp.Header.Get("Content-Range"))
	switch {
	case !ok || got.first != first || got.last != last || got.total < 0:
		return unverifiable(host, "wrong Content-Range")
	case got.total != want.Size:
		return changed(host, "its length differs")
	case resp.ContentLength >= 0 && resp.ContentLength != last-first+1:
		return unverifiable(host, "Content-Length and Content-Range disagree")
	}
	return nil
}

// isStrong reports whether an entity tag promises equal bytes (RFC 9110, section 8.8.3). A tag
// without quotes promises nothing, and would make a malformed If-Match.
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
