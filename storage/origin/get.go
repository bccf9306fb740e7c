package origin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Get asks for the whole object that Head described as want. The answer must be a 200 that agrees with want in length,
// strong ETag (which is also sent as If-Match), content coding and digests.
//
// The body has exactly want.Size bytes; if that is negative, as many as the answer's own length says; if there is none,
// it goes to the end of the framing, and if there is no framing either ([Body.Framed]), to the end of the connection: it
// is the caller's decision whether that will do. It matches want.Digests and those in the answer itself. ctx bounds the
// reading as well. The caller closes the body.
//
// Errors are *Error, or the context's error, wrapped, if the caller's context is done; the body's too.
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

// GetRange asks for n bytes from offset off, n > 0, of the object that Head described as want, which must have a Size and
// a strong ETag: ranges of two versions must never be mixed, and nothing less tells versions apart. The answer must be a
// 206 of exactly these bytes and of exactly that total, and agree with want in strong ETag and content coding.
//
// The body and the errors are as with Get, for n bytes, but no digest is looked at: see [Verifier]. A source that ignores
// the range gives ClassBadHTTPStatus with Status 200: Get is the way then.
func (c *Client) GetRange(ctx context.Context, canonical string, want Meta, off, n int64) (*Body, error) {
	switch {
	case off < 0 || n <= 0 || n > want.Size-off:
		return nil, &Error{Class: ClassUnverifiable, Permanent: true,
			Text: fmt.Sprintf("range of %d bytes at %d does not lie within a size of %d", n, off, want.Size)}
	case !isStrong(want.ETag):
		return nil, &Error{Class: ClassUnverifiable, Permanent: true, Text: "no strong etag to pin ranges by"}
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

// checkFull checks what only the answer with the whole object has, and returns the judge of its bytes.
func checkFull(resp *http.Response, want Meta) (*Verifier, error) {
	if resp.ContentLength >= 0 && want.Size >= 0 && resp.ContentLength != want.Size {
		return nil, changed(resp.Request.URL.Host, "it has another length")
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
		return changed(host, "it has another length")
	case resp.ContentLength >= 0 && resp.ContentLength != last-first+1:
		return unverifiable(host, "Content-Length and Content-Range disagree")
	}
	return nil
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
