package origin

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzContentRange checks that the text of an accepted range is the canonical text of that range.
func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{
		"bytes 0-4/10", "bytes 0-4/*", "BYTES 0-0/1", "bytes */10", "bytes 4-0/10", "bytes 0-10/10", "bytes 0-4/5, 1-2/5", "bytes=0-4/5",
		"bytes +0-4/5", "bytes 00-4/5", "bytes 0-9223372036854775807/9223372036854775808", "bytes 0-\u0664/5", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := parseContentRange(value)
		if !ok {
			return
		}
		if got.first < 0 || got.last < got.first || got.total >= 0 && got.total <= got.last {
			t.Fatalf("%q is accepted as %+v", value, got)
		}
		total := "*"
		if got.total >= 0 {
			total = fmt.Sprint(got.total)
		}
		unit, numbers, _ := strings.Cut(value, " ")
		if !strings.EqualFold(unit, "bytes") || withoutZeros(numbers) != fmt.Sprintf("%d-%d/%s", got.first, got.last, total) {
			t.Fatalf("%q is accepted as %+v", value, got)
		}
	})
}

// withoutZeros drops the leading zeros of the numbers in a range.
func withoutZeros(text string) string {
	var b strings.Builder
	number := ""
	for _, c := range text + "." {
		if c >= '0' && c <= '9' {
			number += string(c)
			continue
		}
		if number != "" {
			trimmed := strings.TrimLeft(number, "0")
			if trimmed == "" {
				trimmed = "0"
			}
			b.WriteString(trimmed)
		}
		number = ""
		b.WriteRune(c)
	}
	return strings.TrimSuffix(b.String(), ".")
}

// FuzzRetryAfter checks that no source delays a copy beyond the limit, and that a number of seconds
// within it is obeyed.
func FuzzRetryAfter(f *testing.F) {
	f.Add("3", "")
	f.Add(" 120 ", "")
	f.Add("99999999999999999999", "")
	f.Add("-1", "x")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Add("Thu, 26 Nov 2026 00:01:00 GMT", "Thu, 26 Nov 2026 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		got := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}})
		if got < 0 || got > maxRetryAfter {
			t.Fatalf("%q, %q: %s", value, date, got)
		}
		seconds := strings.TrimSpace(value)
		var n int
		if _, err := fmt.Sscanf(seconds, "%d", &n); err != nil || fmt.Sprint(n) != seconds || n < 0 {
			return
		}
		if want := min(time.Duration(min(n, 1e6))*time.Second, maxRetryAfter); got != want {
			t.Fatalf("%q: %s, want %s", value, got, want)
		}
	})
}

// FuzzLocation checks that a Location leads to where net/url resolves it, on a canonical URL, or
// nowhere.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"/a", "a%2Fb", "//other.example/x", `\\other.example\x`, `/\other.example`, "///x", "?q", "#f", "..//..", "http:x", "http:/x", "HTTPS://H:443",
		"http://u@h/", "http://[::1%25x]/", "\thttp://h/", "ht\ttp://h/", "http://h\\@i/", "javascript:x", "%", "//h:0/", "a b", "\u212a", ":", "",
	} {
		f.Add(seed)
	}
	const base = "https://base.example:8443/dir/file?query"
	at, _ := url.Parse(base)
	f.Fuzz(func(t *testing.T, location string) {
		next, err := resolve(base, location)
		if err != nil {
			return
		}
		if again, err := Canonical(next); err != nil || again != next {
			t.Fatalf("%q leads to %q, which is not canonical: %q, %v", location, next, again, err)
		}
		got, err := url.Parse(next)
		if err != nil {
			t.Fatalf("%q leads to %q: %v", location, next, err)
		}
		want, err := at.Parse(strings.ReplaceAll(location, `\`, "%5C"))
		if err != nil {
			return // net/url refuses bytes that Canonical encodes
		}
		host := strings.TrimSuffix(lowerASCII(want.Hostname()), ".")
		if addr, err := netip.ParseAddr(host); err == nil {
			host = addr.String()
		}
		if got.Scheme != want.Scheme || strings.TrimSuffix(got.Hostname(), ".") != host || effectivePort(got) != effectivePort(want) {
			t.Fatalf("%q leads to %q, and by net/url to %q", location, next, want)
		}
	})
}

// effectivePort returns a URL's port, without leading zeros, or the default of its scheme.
func effectivePort(u *url.URL) string {
	if port := strings.TrimLeft(u.Port(), "0"); port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// FuzzMeta checks that every value that becomes metadata of a copy can be stored, and holds no
// query.
func FuzzMeta(f *testing.F) {
	f.Add(`"e"`, "text/html", "attachment; filename=\"a\"", "gzip", "sha-256=:AAAA:")
	f.Add("\x00", "text/html\r\nX: 1", "attachment; filename=\xff", "\u212a", "md5=x")
	f.Add(strings.Repeat("a", 1025), "text/\u00fc", "attachment; filename=\u20ac rates", "a,b", "sha=Kzc=,md5=,,=")
	f.Fuzz(func(t *testing.T, etag, kind, disposition, encoding, digest string) {
		u, _ := url.Parse("https://h/a?SECRET")
		h := http.Header{
			"Etag": {etag}, "Content-Type": {kind}, "Content-Disposition": {disposition}, "Content-Encoding": {encoding, encoding},
			"Last-Modified": {etag}, "Content-Language": {kind, disposition}, "Repr-Digest": {digest}, "Digest": {digest}, "Content-Md5": {digest},
		}
		m, err := metaOf(&http.Response{Header: h, Request: &http.Request{URL: u}, ContentLength: 1}, nil)
		if err != nil {
			var failure *Error
			if !errors.As(err, &failure) || failure.Class != ClassUnverifiable {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, value := range []string{
			m.ETag, m.LastModified, m.ContentType, m.ContentEncoding, m.ContentDisposition, m.ContentLanguage, m.Final,
		} {
			if len(value) > maxMetaValue || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("metadata %q", value)
			}
		}
		if strings.Contains(m.Final, "SECRET") {
			t.Fatalf("final URL %q", m.Final)
		}
		for i, d := range m.Digests {
			if hash := newHash(d.Algorithm); hash == nil || len(d.Value) != hash.Size() || i > 0 && m.Digests[i-1].Algorithm == d.Algorithm {
				t.Fatalf("digests %v", m.Digests)
			}
		}
	})
}
