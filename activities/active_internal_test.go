package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestActive(t *testing.T) {
	for _, kind := range []string{
		"text/html", "TEXT/HTML", " text/html ", "text/html;charset=utf-8", "text/html; charset", "text/html; a=b; a=c", "application/xhtml+xml",
		"image/svg+xml", "image/svg+xml; charset=utf-8", "application/xml", "text/xml", "application/rss+xml", "application/atom+xml",
		"application/mathml+xml", "application/vnd.mozilla.xul+xml", "text/xsl", "application/xslt+xml", "application/xml-dtd",
		"text/xml-external-parsed-entity", "text/javascript", "application/javascript", "application/x-javascript", "text/x-javascript",
		"application/ecmascript", "application/x-ecmascript", "text/ecmascript", "text/javascript1.5", "text/jscript", "text/livescript",
		"multipart/x-mixed-replace; boundary=x", "multipart/related", "message/rfc822", "application/x-shockwave-flash",
		"", "*/*", "text/*", "html", "text", "text/", "/html", "unknown/unknown", "application/unknown", "text/plain, text/html", "text plain",
		"text/html\x00", "text/plain; x=\"", "text/plain text/html", `text/plain; x="y, text/html"`,
	} {
		require.True(t, active(kind), "%q", kind)
	}
	for _, kind := range []string{
		"text/plain", "text/plain; charset=utf-8", "text/css", "text/csv", "image/png", "image/jpeg", "video/mp4", "audio/mpeg", "font/woff2",
		"application/json", "application/octet-stream", "application/zip", "application/gzip", "application/wasm", "application/pdf",
		"application/vnd.debian.binary-package", "application/x-tar", "binary/octet-stream", "text/markdown",
	} {
		require.False(t, active(kind), "%q", kind)
	}
}

func TestAttachment(t *testing.T) {
	for disposition, want := range map[string]string{
		"":                             "attachment",
		"inline":                       "attachment",
		"inline;":                      "attachment",
		"inline; filename=x.html":      "attachment; filename=x.html",
		`Inline ; filename="a;b.html"`: `attachment; filename="a;b.html"`,
		`inline; filename="a.html"; filename*=UTF-8''%C3%A4.html`: `attachment; filename="a.html"; filename*=UTF-8''%C3%A4.html`,
		"filename=x.html":            "attachment; filename=x.html",
		"filename=x.html; size=3":    "attachment; filename=x.html; size=3",
		`form-data; name="x"`:        `attachment; name="x"`,
		`"attachment"; filename=x`:   "attachment; filename=x",
		"attachmentx":                "attachment",
		"attachment":                 "attachment",
		"ATTACHMENT; filename=x":     "ATTACHMENT; filename=x",
		"attachment; filename=x;;??": "attachment; filename=x;;??",
	} {
		require.Equal(t, want, attachment(disposition), disposition)
	}
}
