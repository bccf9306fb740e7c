package origin

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloud-mirror/cloud-mirror/storage/redact"
)

// maxMetaValue is the longest header value kept in a Meta, in bytes. A Meta goes into workflow
// history and then into S3 metadata, both of which are bounded.
const maxMetaValue = 1024

// Meta describes an object of a source, as the response to a plain GET does. It goes into workflow
// history, so it holds no query of any URL: that may be a signature. Header values are printable
// ASCII, as the source sent them. A value above 1 KiB or with other bytes is left out, except for
// ContentDisposition: see its field.
type Meta struct {
	// Size is the length of the body in bytes, as sent (a content coding is not undone); -1 if the
	// source does not say.
	Size            int64  `json:"size"`
	ETag            string `json:"etag,omitempty"`
	LastModified    string `json:"lastModified,omitempty"`
	ContentType     string `json:"contentType,omitempty"`
	ContentEncoding string `json:"contentEncoding,omitempty"`
	// ContentDisposition is as the source sent it, or has the same meaning in ASCII: see
	// disposition.
	ContentDisposition string `json:"contentDisposition,omitempty"`
	ContentLanguage    string `json:"contentLanguage,omitempty"`
	// AcceptRanges tells whether the source says that it serves ranges of bytes.
	AcceptRanges bool `json:"acceptRanges,omitempty"`
	// Digests are the checksums that the source gave for the object, at most one per algorithm, the
	// strongest first.
	Digests []Digest `json:"digests,omitempty"`
	// Addresses are the hops of the redirect chain, the last being the one that serves the object.
	Addresses []Hop `json:"addresses,omitempty"`
	// Final is the canonical URL of the hop that serves the object, without its query: it tells
	// what kind of server that is, and is often not enough to get the object. Empty above 1 KiB,
	// and if a part of its path may not be shown (see package redact).
	Final string `json:"final,omitempty"`
}

// Rangeable reports whether [Client.GetRange] can fetch the object in ranges that are known to be
// of one version.
func (m Meta) Rangeable() bool { return m.AcceptRanges && m.Size > 0 && isStrong(m.ETag) }

// Host returns the host that serves the object with this canonical URL: that of the last redirect,
// if the chain is known. It has a port unless that is the default.
func (m Meta) Host(canonical string) string {
	if n := len(m.Addresses); n > 0 {
		return m.Addresses[n-1].Host
	}
	u, err := url.Parse(canonical)
	if err != nil {
		return ""
	}
	return u.Host
}

// SHA256 returns the SHA-256 that the source gave for the object, in lower-case hex, or nothing.
func (m Meta) SHA256() string {
	for _, d := range m.Digests {
		if d.Algorithm == SHA256 {
			return hex.EncodeToString(d.Value)
		}
	}
	return ""
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
		ContentDisposition: bounded(disposition(h.Get("Content-Disposition"))),
		ContentLanguage:    bounded(strings.Join(h.Values("Content-Language"), ", ")),
		AcceptRanges:       strings.EqualFold(strings.TrimSpace(h.Get("Accept-Ranges")), "bytes"),
		Digests:            digests,
		Addresses:          hops,
		Final:              final(resp.Request.URL.String()),
	}, nil
}

// final returns [Meta.Final]. A part of a path would be the path of another object.
func final(url string) string {
	shown, hidden := redact.Cut(url)
	if strings.HasPrefix(hidden, "%") {
		return ""
	}
	return bounded(shown)
}

func contentEncoding(h http.Header) string {
	return bounded(strings.Join(h.Values("Content-Encoding"), ", "))
}

// bounded drops a value that is too long or that S3 can't store.
func bounded(value string) string {
	if len(value) > maxMetaValue || strings.ContainsFunc(value, notPrintable) {
		return ""
	}
	return value
}

func notPrintable(r rune) bool {
	return r > unicode.MaxASCII || unicode.IsControl(r) || r == utf8.RuneError
}
