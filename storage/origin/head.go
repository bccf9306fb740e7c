package origin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMetaValue is the longest header value kept in a Meta, in bytes. A Meta goes into workflow
// history and then into S3 metadata, both of which are bounded.
const maxMetaValue = 1024

// Meta describes an object of a source. It goes into workflow history, so it holds no query of any
// URL: that may be a signature. Header values are as the source sent them; those above 1 KiB, not
// UTF-8 or with control characters are left out.
type Meta struct {
	// Size is the length of the body in bytes, as sent (a content coding is not undone); -1 if the
	// source does not say.
	Size               int64  `json:"size"`
	ETag               string `json:"etag,omitempty"`
	LastModified       string `json:"lastModified,omitempty"`
	ContentType        string `json:"contentType,omitempty"`
	ContentEncoding    string `json:"contentEncoding,omitempty"`
	ContentDisposition string `json:"contentDisposition,omitempty"`
	ContentLanguage    string `json:"contentLanguage,omitempty"`
	// AcceptRanges tells whether the source says, or has shown, that it serves ranges of bytes.
	AcceptRanges bool `json:"acceptRanges,omitempty"`
	// Digests are the checksums that the source gave for the object, at most one per algorithm, the
	// strongest first.
	Digests []Digest `json:"digests,omitempty"`
	// Addresses are the hops of the redirect chain, the last being the one that serves the object.
	Addresses []Hop `json:"addresses,omitempty"`
	// Final is the canonical URL of the hop that serves the object, without its query: it tells
	// what kind of server that is, and is often not enough to get the object. Empty above 1 KiB.
	Final string `json:"final,omitempty"`
}

// Rangeable reports whether [Client.GetRange] can fetch the object in ranges that are known to be
// of one version.
func (m Meta) Rangeable() bool { return m.AcceptRanges && m.Size > 0 && isStrong(m.ETag) }

// Head requests an object's metadata. Some sources refuse HEAD: with 403 because a signature for
// GET does not cover it, with 405 and 501 because the server does not implement it. Head then sends
// a GET of the first byte, and that response counts, failures included.
//
// Errors are *Error, or the context's error, wrapped, if the caller's context is done.
func (c *Client) Head(ctx context.Context, canonical string) (Meta, error) {
	resp, hops, err := c.follow(ctx, http.MethodHead, canonical, nil)
	if err != nil {
		return Meta{}, err
	}
	closeUnread(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		return metaOf(resp, hops)
	case http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return c.probe(ctx, canonical)
	}
	return Meta{}, statusError(resp)
}

// probe gets by GET the metadata that a source refuses to HEAD. It never reads a body.
func (c *Client) probe(ctx context.Context, canonical string) (Meta, error) {
	meta, err := c.probeWith(ctx, canonical, http.Header{"Range": {"bytes=0-0"}})
	var failure *Error
	if errors.As(err, &failure) && failure.Status == http.StatusRequestedRangeNotSatisfiable {
		// An empty object has no first byte, and the 416 carries the headers of an error page.
		return c.probeWith(ctx, canonical, nil)
	}
	return meta, err
}

func (c *Client) probeWith(ctx context.Context, canonical string, header http.Header) (Meta, error) {
	resp, hops, err := c.follow(ctx, http.MethodGet, canonical, header)
	if err != nil {
		return Meta{}, err
	}
	closeUnread(resp)
	switch {
	case resp.StatusCode == http.StatusOK:
		meta, err := metaOf(resp, hops)
		if header != nil {
			meta.AcceptRanges = false // even if it announces ranges: it has just ignored one
		}
		return meta, err
	case resp.StatusCode == http.StatusPartialContent && header != nil:
		got, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if !ok || got.first != 0 || got.last != 0 {
			return Meta{}, unverifiable(resp.Request.URL.Host, "wrong Content-Range")
		}
		meta, err := metaOf(resp, hops)
		if err != nil {
			return Meta{}, err
		}
		meta.Size, meta.AcceptRanges = got.total, true
		return meta, nil
	}
	return Meta{}, statusError(resp)
}

func metaOf(resp *http.Response, hops []Hop) (Meta, error) {
	digests, err := digestsOf(resp)
	if err != nil {
		return Meta{}, err
	}
	h := resp.Header
	return Meta{
		Size:               resp.ContentLength,
		ETag:               bounded(h.Get("ETag")),
		LastModified:       bounded(h.Get("Last-Modified")),
		ContentType:        bounded(h.Get("Content-Type")),
		ContentEncoding:    contentEncoding(h),
		ContentDisposition: bounded(h.Get("Content-Disposition")),
		ContentLanguage:    bounded(strings.Join(h.Values("Content-Language"), ", ")),
		AcceptRanges:       strings.EqualFold(strings.TrimSpace(h.Get("Accept-Ranges")), "bytes"),
		Digests:            digests,
		Addresses:          hops,
		Final:              bounded(Redact(resp.Request.URL.String())),
	}, nil
}

func contentEncoding(h http.Header) string {
	return bounded(strings.Join(h.Values("Content-Encoding"), ", "))
}

func bounded(value string) string {
	if len(value) > maxMetaValue || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return ""
	}
	return value
}
